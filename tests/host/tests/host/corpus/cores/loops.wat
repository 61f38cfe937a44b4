;; Code that does not end, in every way in which code goes back; and code that ends by a trap.

;;; loop-of-nothing | 504 timeout
(func (export "handle") (param i32 i32) (loop $l (br $l)))

;;; loop-in-the-start-function | 504 timeout
(func $start (loop $l (br $l))) (start $start)
(func (export "handle") (param i32 i32))

;;; loop-by-br-table | 504 timeout
(func (export "handle") (param i32 i32) (loop $l (br_table $l $l $l (local.get 0))))

;;; loop-by-br-if | 504 timeout
(func (export "handle") (param i32 i32) (loop $l (br_if $l (i32.const 1))))

;;; loop-by-tail-calls | 504 timeout
(func $f (export "handle") (param i32 i32) (return_call $f (local.get 0) (local.get 1)))

;;; loop-by-indirect-tail-calls | 504 timeout
(type $t (func (param i32 i32)))
(table 1 funcref) (elem (i32.const 0) $f)
(func $f (export "handle") (type $t)
  (return_call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0)))

;;; loop-by-tail-calls-of-references | 504 timeout
(type $t (func (param i32 i32)))
(elem declare func $f)
(func $f (export "handle") (type $t)
  (return_call_ref $t (local.get 0) (local.get 1) (ref.func $f)))

;;; loop-of-calls-of-references | 504 timeout
(type $t (func))
(elem declare func $f)
(func $f (type $t))
(func (export "handle") (param i32 i32) (loop $l (call_ref $t (ref.func $f)) (br $l)))

;;; loop-of-nested-loops | 504 timeout
(func (export "handle") (param i32 i32)
  (local $n i64)
  (loop $a
    (loop $b
      (local.set $n (i64.add (local.get $n) (i64.const 1)))
      (br_if $b (i64.ne (local.get $n) (i64.const 0))))
    (br $a)))

;;; loop-of-fills | 504 timeout
(memory 32)
(func (export "handle") (param i32 i32)
  (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 2097152)) (br $l)))

;;; loop-of-copies | 504 timeout
(memory 32)
(func (export "handle") (param i32 i32)
  (loop $l (memory.copy (i32.const 1) (i32.const 0) (i32.const 2097151)) (br $l)))

;;; fills-in-a-row | 504 timeout
(memory 32)
(func $ten (param i32)
  (memory.fill (i32.const 0) (i32.const 1) (i32.const 2097152))
  (memory.fill (i32.const 0) (i32.const 2) (i32.const 2097152))
  (memory.fill (i32.const 0) (i32.const 3) (i32.const 2097152))
  (memory.fill (i32.const 0) (i32.const 4) (i32.const 2097152))
  (if (local.get 0) (then
    (call $ten (i32.sub (local.get 0) (i32.const 1)))
    (call $ten (i32.sub (local.get 0) (i32.const 1))))))
(func (export "handle") (param i32 i32) (call $ten (i32.const 40)))

;;; loop-of-table-fills | 504 timeout
(table 1000 funcref)
(func (export "handle") (param i32 i32)
  (loop $l (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1000)) (br $l)))

;;; loop-of-table-copies | 504 timeout
(table 1000 funcref)
(func (export "handle") (param i32 i32)
  (loop $l (table.copy 0 0 (i32.const 1) (i32.const 0) (i32.const 999)) (br $l)))

;;; loop-of-growth-by-nothing | 504 timeout
(memory 1)
(func (export "handle") (param i32 i32) (loop $l (drop (memory.grow (i32.const 0))) (br $l)))

;;; loop-of-growth-that-fails | 504 timeout
(memory 1)
(func (export "handle") (param i32 i32) (loop $l (drop (memory.grow (i32.const 65535))) (br $l)))

;;; loop-of-exceptions | 504 timeout
(tag $e (param i32))
(func (export "handle") (param i32 i32)
  (loop $l
    (block $caught (result i32)
      (try_table (catch $e $caught) (throw $e (i32.const 1)))
      (unreachable))
    (drop)
    (br $l)))

;;; exception-that-nobody-catches | 502 internal
(tag $e (param i64))
(func (export "handle") (param i32 i32) (throw $e (i64.const -1)))

;;; exception-in-the-start-function | 502 internal
(tag $e)
(func $start (throw $e)) (start $start)
(func (export "handle") (param i32 i32))

;;; throws-nothing | 502 internal
(func (export "handle") (param i32 i32) (throw_ref (ref.null exn)))

;;; trap-in-the-start-function | 502 internal
(func $start unreachable) (start $start)
(func (export "handle") (param i32 i32))

;;; recursion | 502 internal
(func $f (export "handle") (param i32 i32) (call $f (local.get 0) (local.get 1)) (drop (i32.const 0)))

;;; recursion-of-two | 502 internal
(func $f (export "handle") (param i32 i32) (call $g (local.get 0)))
(func $g (param i32) (call $f (local.get 0) (local.get 0)))

;;; recursion-by-a-table | 502 internal
(type $t (func (param i32 i32)))
(table 1 funcref) (elem (i32.const 0) $f)
(func $f (export "handle") (type $t)
  (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 0)) (drop (i32.const 0)))

;;; recursion-in-the-start-function | 502 internal
(func $start (call $start) (drop (i32.const 0))) (start $start)
(func (export "handle") (param i32 i32))

;;; recursion-with-large-frames | 502 internal
(func $f (export "handle") (param i32 i32)
  (local v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128)
  (local.set 2 (v128.const i64x2 1 2))
  (call $f (local.get 0) (local.get 1))
  (drop (i8x16.add (local.get 2) (local.get 17))))

;;; unreachable | 502 internal
(func (export "handle") (param i32 i32) unreachable)

;;; division-by-nothing | 502 internal
(func (export "handle") (param i32 i32) (drop (i32.div_u (i32.const 1) (i32.const 0))))

;;; division-that-overflows | 502 internal
(func (export "handle") (param i32 i32)
  (drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1))))

;;; number-of-nothing | 502 internal
(func (export "handle") (param i32 i32) (drop (i32.trunc_f32_s (f32.const nan))))

;;; number-beyond-all | 502 internal
(func (export "handle") (param i32 i32) (drop (i64.trunc_f64_u (f64.const 1e300))))

;;; call-of-nothing | 502 internal
(type $t (func)) (table 1 funcref)
(func (export "handle") (param i32 i32) (call_indirect (type $t) (i32.const 0)))

;;; call-beyond-the-table | 502 internal
(type $t (func)) (table 1 funcref)
(func (export "handle") (param i32 i32) (call_indirect (type $t) (i32.const -1)))

;;; call-of-another-type | 502 internal
(type $t (func (param i64))) (table 1 funcref) (elem (i32.const 0) $f)
(func $f)
(func (export "handle") (param i32 i32) (call_indirect (type $t) (i64.const 0) (i32.const 0)))

;;; call-of-a-null-reference | 502 internal
(type $t (func))
(func (export "handle") (param i32 i32) (call_ref $t (ref.null $t)))

;;; returns-without-an-answer | 502 internal
(func (export "handle") (param i32 i32))

;;; loop-after-its-end | 504 timeout
(func (export "handle") (param i32 i32))
(func (export "post-return") (loop $l (br $l)))

;;; trap-after-its-end | 502 internal
(func (export "handle") (param i32 i32))
(func (export "post-return") unreachable)
