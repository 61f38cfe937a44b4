;; Objects of the garbage collector: they are part of the memory that an instance may have, and casts are checked.

;;; objects-without-end | 502 internal
(type $bytes (array (mut i8)))
(type $node (struct (field (ref null $node)) (field (ref $bytes))))
(global $all (mut (ref null $node)) (ref.null $node))
(func (export "handle") (param i32 i32)
  (local $n i32)
  (loop $l
    (global.set $all (struct.new $node (global.get $all) (array.new_default $bytes (i32.const 65536))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $n) (i32.const 80))))
  (loop $s (br $s)))

;;; garbage-without-end | 504 timeout
(type $node (struct (field i64)))
(func (export "handle") (param i32 i32) (loop $l (drop (struct.new $node (i64.const 1))) (br $l)))

;;; array-of-2-gib | 502 internal
(type $a (array (mut i8)))
(func (export "handle") (param i32 i32)
  (drop (array.new $a (i32.const 1) (i32.const 0x7fffffff))) (loop $s (br $s)))

;;; array-whose-size-overflows | 502 internal
(type $a (array (mut v128)))
(func (export "handle") (param i32 i32)
  (drop (array.new_default $a (i32.const 0x10000001))) (loop $s (br $s)))

;;; array-of-all | 502 internal
(type $a (array (mut i64)))
(func (export "handle") (param i32 i32)
  (drop (array.new_default $a (i32.const -1))) (loop $s (br $s)))

;;; array-over-its-end | 502 internal
(type $a (array (mut i32)))
(func (export "handle") (param i32 i32)
  (drop (array.get $a (array.new_default $a (i32.const 10)) (i32.const 10))) (loop $s (br $s)))

;;; array-fill-over-its-end | 502 internal
(type $a (array (mut i32)))
(func (export "handle") (param i32 i32)
  (array.fill $a (array.new_default $a (i32.const 10)) (i32.const 5) (i32.const 1) (i32.const -1)) (loop $s (br $s)))

;;; array-copy-over-its-end | 502 internal
(type $a (array (mut i32)))
(func (export "handle") (param i32 i32)
  (local $x (ref $a))
  (local.set $x (array.new_default $a (i32.const 10)))
  (array.copy $a $a (local.get $x) (i32.const 1) (local.get $x) (i32.const 0) (i32.const 10)) (loop $s (br $s)))

;;; loop-of-array-fills | 504 timeout
(type $a (array (mut i32)))
(func (export "handle") (param i32 i32)
  (local $x (ref $a))
  (local.set $x (array.new_default $a (i32.const 10000)))
  (loop $l (array.fill $a (local.get $x) (i32.const 0) (i32.const 1) (i32.const 10000)) (br $l)))

;;; object-of-nothing | 502 internal
(type $s (struct (field (mut i32))))
(func (export "handle") (param i32 i32)
  (drop (struct.get $s 0 (ref.null $s))) (loop $s (br $s)))

;;; cast-to-another-type | 502 internal
(type $a (struct (field i32))) (type $b (struct (field i64)))
(func (export "handle") (param i32 i32)
  (local $x anyref)
  (local.set $x (struct.new $a (i32.const 1)))
  (drop (ref.cast (ref $b) (local.get $x))) (loop $s (br $s)))

;;; cast-of-a-small-number | 502 internal
(type $a (struct (field i32)))
(func (export "handle") (param i32 i32)
  (local $x anyref)
  (local.set $x (ref.i31 (i32.const -1)))
  (drop (ref.cast (ref $a) (local.get $x))) (loop $s (br $s)))

;;; cast-of-what-is-from-outside | 502 internal
(type $a (struct (field i32)))
(func (export "handle") (param i32 i32)
  (drop (ref.cast (ref $a) (any.convert_extern (extern.convert_any (ref.i31 (i32.const 1)))))) (loop $s (br $s)))

;;; cast-of-a-function | 502 internal
(type $f (func)) (type $g (func (param i32)))
(elem declare func $x)
(func $x (type $f))
(func (export "handle") (param i32 i32)
  (local $r funcref)
  (local.set $r (ref.func $x))
  (drop (ref.cast (ref $g) (local.get $r))) (loop $s (br $s)))

;;; exceptions-that-are-held | 502 internal
(type $bytes (array (mut i8)))
(type $all (array (mut (ref null exn))))
(tag $e (param (ref $bytes)))
(func (export "handle") (param i32 i32)
  (local $x (ref $all)) (local $n i32) (local $v exnref)
  (local.set $x (array.new_default $all (i32.const 80)))
  (loop $l
    (local.set $v (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (throw $e (array.new_default $bytes (i32.const 65536))))
      (unreachable)))
    (array.set $all (local.get $x) (local.get $n) (local.get $v))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $l (i32.lt_u (local.get $n) (i32.const 80))))
  (loop $s (br $s)))
