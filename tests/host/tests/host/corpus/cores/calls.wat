;; Calls to the host with values that no compiler makes. Code behind the call spins, which is another end than a trap.

;;; random-bytes-of-all | 502 internal
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const -1) (i32.const 0)) (loop $s (br $s)))

;;; answer-beyond-the-memory | 502 internal
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const 1) (i32.const -8)) (loop $s (br $s)))

;;; answer-that-is-not-aligned | 502 internal
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const 1) (i32.const 3)) (loop $s (br $s)))

;;; memory-beyond-the-memory | 502 internal
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const 100) (i32.const 0)) (loop $s (br $s)))
---
(i32.const -16)

;;; memory-at-the-very-end | 502 internal
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const 2) (i32.const 0)) (loop $s (br $s)))
---
(i32.const 65535)

;;; memory-that-never-comes | 504 timeout
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const 100) (i32.const 0)) unreachable)
---
(loop $l (br $l)) unreachable

;;; memory-that-traps | 502 internal
(import "host" "random" (func $f (param i64 i32)))
(func (export "handle") (param i32 i32) (call $f (i64.const 100) (i32.const 0)) (loop $s (br $s)))
---
unreachable

;;; level-that-is-none | 502 internal
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 99) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; text-beyond-the-memory | 502 internal
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const -16) (i32.const 100) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; text-of-4-gib | 502 internal
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; text-that-is-no-utf-8 | 502 internal
(import "host" "memory" (memory 1))
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (i32.store (i32.const 0) (i32.const 0x80c0ffed))
  (call $f (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; utf-16-with-half-a-pair | 502 internal
(import "host" "memory" (memory 1))
(import "host" "log-16" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (i32.store (i32.const 0) (i32.const 0x0041d800))
  (call $f (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; utf-16-that-is-not-aligned | 502 internal
(import "host" "log-16" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; utf-16-whose-size-overflows | 502 internal
(import "host" "log-16" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const 0x80000001) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; latin-1-with-the-mark-of-utf-16 | 502 internal
(import "host" "log-1" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; latin-1-over-the-end | 502 internal
(import "host" "log-1" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 65534) (i32.const 4) (i32.const 0) (i32.const 0)) (loop $s (br $s)))

;;; list-whose-size-overflows | 502 internal
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x10000001)) (loop $s (br $s)))

;;; list-over-the-end | 502 internal
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65520) (i32.const 2)) (loop $s (br $s)))

;;; list-that-is-not-aligned | 502 internal
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 1)) (loop $s (br $s)))

;;; one-text-in-a-list-many-times | 502 internal
(import "host" "memory" (memory 1))
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (local $n i32)
  (loop $l
    (i32.store offset=4 (local.get $n) (i32.const 65536))
    (i32.store offset=12 (local.get $n) (i32.const 65536))
    (local.set $n (i32.add (local.get $n) (i32.const 16)))
    (br_if $l (i32.lt_u (local.get $n) (i32.const 65536))))
  (call $f (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4096)) (loop $s (br $s)))

;;; waits-for-nothing | 502 internal
(import "host" "poll" (func $f (param i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 0) (i32.const 16)) (loop $s (br $s)))

;;; waits-for-what-is-not-there | 502 internal
(import "host" "poll" (func $f (param i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 1) (i32.const 16)) (loop $s (br $s)))

;;; waits-for-a-million-of-nothing | 502 internal
(import "host" "poll" (func $f (param i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (call $f (i32.const 0) (i32.const 1000000) (i32.const 16)) (loop $s (br $s)))

;;; waits-for-ever | 504 timeout
(import "host" "wait" (func $wait (param i64) (result i32)))
(import "host" "block" (func $block (param i32)))
(func (export "handle") (param i32 i32) (call $block (call $wait (i64.const -1))) unreachable)

;;; makes-times-without-end | 502 internal
(import "host" "wait" (func $wait (param i64) (result i32)))
(func (export "handle") (param i32 i32) (loop $l (drop (call $wait (i64.const 1))) (br $l)))

;;; makes-and-drops-times-without-end | 504 timeout
(import "host" "wait" (func $wait (param i64) (result i32)))
(import "host" "drop-pollable" (func $drop (param i32)))
(func (export "handle") (param i32 i32) (loop $l (call $drop (call $wait (i64.const -1))) (br $l)))

;;; takes-a-request-for-a-time | 502 internal
(import "host" "block" (func $block (param i32)))
(func (export "handle") (param i32 i32) (call $block (local.get 0)) (loop $s (br $s)))

;;; drops-what-is-not-there | 502 internal
(import "host" "drop-request" (func $drop (param i32)))
(func (export "handle") (param i32 i32) (call $drop (i32.const 12345)) (loop $s (br $s)))

;;; drops-a-handle-below-nothing | 502 internal
(import "host" "drop-request" (func $drop (param i32)))
(func (export "handle") (param i32 i32) (call $drop (i32.const -1)) (loop $s (br $s)))

;;; drops-the-request-twice | 502 internal
(import "host" "drop-request" (func $drop (param i32)))
(func (export "handle") (param i32 i32) (call $drop (local.get 0)) (call $drop (local.get 0)) (loop $s (br $s)))

;;; drops-the-request-as-its-answer | 502 internal
(import "host" "drop-out" (func $drop (param i32)))
(func (export "handle") (param i32 i32) (call $drop (local.get 0)) (loop $s (br $s)))

;;; drops-its-answer | 502 internal
(import "host" "drop-out" (func $drop (param i32)))
(func (export "handle") (param i32 i32) (call $drop (local.get 1)))

;;; uses-a-time-that-was-dropped | 502 internal
(import "host" "wait" (func $wait (param i64) (result i32)))
(import "host" "drop-pollable" (func $drop (param i32)))
(import "host" "block" (func $block (param i32)))
(func (export "handle") (param i32 i32)
  (local $p i32)
  (local.set $p (call $wait (i64.const 1)))
  (call $drop (local.get $p)) (call $block (local.get $p)) (loop $s (br $s)))

;;; ends-the-process | 502 internal
(import "host" "exit" (func $exit (param i32)))
(func (export "handle") (param i32 i32) (call $exit (i32.const 0)) (loop $s (br $s)))

;;; ends-the-process-in-the-start-function | 502 internal
(import "host" "exit" (func $exit (param i32)))
(func $start (call $exit (i32.const 1)) (loop $s (br $s))) (start $start)
(func (export "handle") (param i32 i32))

;;; ends-the-process-in-no-known-way | 502 internal
(import "host" "exit" (func $exit (param i32)))
(func (export "handle") (param i32 i32) (call $exit (i32.const 7)) (loop $s (br $s)))

;;; loops-in-the-host | 504 timeout
(import "host" "log-8" (func $f (param i32 i32 i32 i32 i32)))
(func (export "handle") (param i32 i32)
  (loop $l (call $f (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 0) (i32.const 0)) (br $l)))
