;; Memories and tables: growth stops at the limits (else the code spins, which is another end), and nothing is outside.

;;; memory-grows-without-end | 502 internal
(memory 0)
(func (export "handle") (param i32 i32)
  (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (if (i32.gt_u (memory.size) (i32.const 64)) (then (loop $s (br $s))))
  unreachable)

;;; memory-of-more-than-it-may | 502 internal
(memory 65) (func (export "handle") (param i32 i32) (loop $s (br $s)))

;;; memory-of-4-gib | 502 internal
(memory 65536) (func (export "handle") (param i32 i32) (loop $s (br $s)))

;;; memory-grows-by-4-gib | 502 internal
(memory 1)
(func (export "handle") (param i32 i32)
  (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (loop $s (br $s))))
  unreachable)

;;; wide-memory-grows-by-all | 502 internal
(memory i64 1)
(func (export "handle") (param i32 i32)
  (if (i64.ne (memory.grow (i64.const -1)) (i64.const -1)) (then (loop $s (br $s))))
  (if (i64.ne (memory.grow (i64.const 0x0000ffffffffffff)) (i64.const -1)) (then (loop $s (br $s))))
  unreachable)

;;; table-grows-without-end | 502 internal
(table 0 funcref)
(func (export "handle") (param i32 i32)
  (loop $l (br_if $l (i32.ne (table.grow (ref.null func) (i32.const 1)) (i32.const -1))))
  (if (i32.gt_u (table.size) (i32.const 1000)) (then (loop $s (br $s))))
  unreachable)

;;; table-grows-by-all | 502 internal
(table 1 externref)
(func (export "handle") (param i32 i32)
  (if (i32.ne (table.grow (ref.null extern) (i32.const -2)) (i32.const -1)) (then (loop $s (br $s))))
  unreachable)

;;; wide-table-grows-by-all | 502 internal
(table i64 1 funcref)
(func (export "handle") (param i32 i32)
  (if (i64.ne (table.grow (ref.null func) (i64.const 0x1fffffffffffffff)) (i64.const -1)) (then (loop $s (br $s))))
  unreachable)

;;; table-of-more-than-it-may | 502 internal
(table 1001 funcref) (func (export "handle") (param i32 i32) (loop $s (br $s)))

;;; load-at-the-end-of-all | 502 internal
(memory 1)
(func (export "handle") (param i32 i32) (drop (i64.load offset=4294967295 (i32.const -1))) (loop $s (br $s)))

;;; load-one-byte-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32) (drop (i32.load (i32.const 65533))) (loop $s (br $s)))

;;; load-of-a-vector-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32) (drop (v128.load (i32.const 65521))) (loop $s (br $s)))

;;; lane-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32)
  (drop (v128.load64_lane 1 (i32.const 65529) (v128.const i64x2 0 0))) (loop $s (br $s)))

;;; load-of-a-splat-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32) (drop (f64x2.splat (f64.load (i32.const 65529)))) (loop $s (br $s)))

;;; sum-with-a-vector-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32)
  (drop (i32x4.add (v128.const i64x2 0 0) (v128.load (i32.const 65528)))) (loop $s (br $s)))

;;; sign-of-a-number-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32)
  (drop (f64.copysign (f64.const 1) (f64.load (i32.const 65529)))) (loop $s (br $s)))

;;; wide-load-beyond-all | 502 internal
(memory i64 1)
(func (export "handle") (param i32 i32)
  (drop (i64.load offset=0xffffffffffffffff (i64.const -1))) (loop $s (br $s)))

;;; wide-store-below-nothing | 502 internal
(memory i64 1)
(func (export "handle") (param i32 i32) (i64.store (i64.const -8) (i64.const 1)) (loop $s (br $s)))

;;; fill-over-the-end | 502 internal
(memory 1)
(func (export "handle") (param i32 i32)
  (memory.fill (i32.const 1) (i32.const 0) (i32.const 65536)) (loop $s (br $s)))

;;; data-that-was-dropped | 502 internal
(memory 1) (data $d "hello")
(func (export "handle") (param i32 i32)
  (data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 5)) (loop $s (br $s)))

;;; data-beyond-the-memory | 502 internal
(memory 1) (data (i32.const 65535) "hello")
(func (export "handle") (param i32 i32) (loop $s (br $s)))

;;; elements-beyond-the-table | 502 internal
(table 1 funcref) (elem (i32.const 1) $f) (func $f)
(func (export "handle") (param i32 i32) (loop $s (br $s)))

;;; table-set-beyond-the-end | 502 internal
(table 10 funcref)
(func (export "handle") (param i32 i32) (table.set (i32.const 10) (ref.null func)) (loop $s (br $s)))
