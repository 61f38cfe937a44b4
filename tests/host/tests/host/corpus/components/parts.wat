;; Components whose own parts are wrong, or more than there may be.

;;; names-that-differ-in-case-alone | is no valid component
(component (import "acme" (func)) (import "ACME" (func)) APP)

;;; names-with-signs | is no valid component
(component (import "a_b$c" (func)) APP)

;;; exports-twice | is no valid component
(component APP (export "wythe:blocks/invocation-handler@0.1.0" (instance $e)))

;;; alias-of-the-outside-of-all | is no valid component
(component (alias outer 9 9 (type)) APP)

;;; instance-of-nothing | is no valid component
(component (core instance (instantiate 99)) APP)

;;; lift-without-a-memory | is no valid component
(component (core module $x (func (export "f") (param i32 i32))) (core instance $y (instantiate $x))
  (func (param "a" string) (canon lift (core func $y "f"))) APP)

;;; lift-with-a-memory-that-gives-none | is no valid component
(component (core module $x (memory (export "m") 1) (func (export "r")) (func (export "f") (param i32 i32)))
  (core instance $y (instantiate $x))
  (func (param "a" string) (canon lift (core func $y "f") (memory $y "m") (realloc (func $y "r")))) APP)

;;; lift-to-another-type | is no valid component
(component (core module $x (func (export "f") (param f64))) (core instance $y (instantiate $x))
  (func (param "a" u8) (canon lift (core func $y "f"))) APP)

;;; end-with-another-type | is no valid component
(component (core module $x (func (export "f") (result i32) i32.const 0) (func (export "p") (param i64)))
  (core instance $y (instantiate $x))
  (func (result u32) (canon lift (core func $y "f") (post-return (func $y "p")))) APP)

;;; borrow-that-is-given-back | is no valid component
(component (type $r (resource (rep i32))) (type (func (result (borrow $r)))) APP)

;;; resource-of-64-bits | is no valid component
(component (type $r (resource (rep i64))) APP)

;;; flags-33 | is no valid component
(component (type (flags "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x"
  "y" "z" "aa" "bb" "cc" "dd" "ee" "ff" "gg")) APP)

;;; enum-of-nothing | is no valid component
(component (type (enum)) APP)

;;; record-with-a-field-twice | is no valid component
(component (type (record (field "a" u8) (field "A" u8))) APP)

;;; list-of-a-fixed-length | is no valid component
(component (type $l (list u8 4294967295)) APP)

;;; map-of-anything | is no valid component
(component (type $m (map string string)) APP)

;;; error-context | is no valid component
(component (type $e error-context) APP)

;;; value-that-is-exported | which this host does not have
(component (import "v" (value $v string)) (export "w" (value $v)) APP)

;;; code-that-starts-with-the-component | which this host does not have
(component (import "f" (func $x)) (start $x) APP)

;;; types-that-double-64-times | is no valid component
(component (type $t0 (tuple u8 u8)) DOUBLED APP)

;;; instances-1001 | is no valid component
(component (core module $x) {1001:(core instance (instantiate $x))} APP)

;;; imports-1001-things | is no valid component
(component IMPORTS APP)
