;; Components that are refused before any of their code runs, and the words of the refusal. APP makes a component an app, as
;; far as loading goes; what is no component is the text of a module in one. {3:ab} is ababab.

;;; core-module | is a core wasm module
(module)

;;; imports-nothing-known | imports `acme:weather/forecast@1.0.0`, which this host does not have
(component (import "acme:weather/forecast@1.0.0" (instance (export "x" (func)))) APP)

;;; imports-another-version | imports `wythe:blocks/state@9.0.0`, which this host does not have
(component (import "wythe:blocks/state@9.0.0" (instance (export "x" (func)))) APP)

;;; imports-a-function-alone | imports `system`, which this host does not have
(component (import "system" (func (param "command" string))) APP)

;;; imports-a-module | which this host does not have
(component (import "code" (core module)) APP)

;;; imports-a-component | which this host does not have
(component (import "code" (component)) APP)

;;; imports-what-is-not-granted | imports `wythe:blocks/state@0.1.0`, which is not granted
(component (import "wythe:blocks/state@0.1.0" (instance (export "x" (func)))) APP)

;;; imports-secrets | which is not granted
(component (import "wythe:blocks/secrets@0.1.0" (instance (export "x" (func)))) APP)

;;; imports-requests-to-the-outside | which is not granted
(component (import "wasi:http/outgoing-handler@0.2.0" (instance (export "x" (func)))) APP)

;;; imports-the-part-of-a-plugin | which this host does not have
(component (import "wythe:plugin/host@0.1.0" (instance (export "x" (func)))) APP)

;;; imports-a-function-that-is-not-there | does not fit this host's interfaces
(component (import "wythe:blocks/logging@0.1.0" (instance (export "shell" (func)))) APP)

;;; imports-a-function-of-another-type | does not fit this host's interfaces
(component (import "wasi:random/random@0.2.0" (instance (export "get-random-bytes" (func (param "len" string))))) APP)

;;; imports-a-resource-that-is-none | does not fit this host's interfaces
(component (import "wasi:io/poll@0.2.0" (instance (export "poll" (type (sub resource))))) APP)

;;; imports-files-by-another-shape | does not fit this host's interfaces
(component (import "wasi:filesystem/preopens@0.2.0" (instance (export "get-directories" (func (result string))))) APP)

;;; exports-nothing | exports none of wasi:http/incoming-handler
(component)

;;; exports-something-else | exports none of wasi:http/incoming-handler
(component (instance $e) (export "acme:weather/forecast@1.0.0" (instance $e)))

;;; exports-an-instance-of-nothing | does not fit this host's interfaces
(component (instance $e) (export "wythe:blocks/invocation-handler@0.1.0" (instance $e)))

;;; exports-a-module-as-its-handler | does not fit this host's interfaces
(component (core module $m) (export "wythe:blocks/invocation-handler@0.1.0" (core module $m)))

;;; exports-a-component-as-its-handler | is no valid component
(component (component $c) (export "wythe:blocks/invocation-handler@0.1.0" (component $c)))

;;; exports-a-type-as-its-handler | does not fit this host's interfaces
(component (type $t u8) (export "wythe:blocks/invocation-handler@0.1.0" (type $t)))

;;; exports-a-driver | it is a plugin
(component
  (instance $e) (export "wythe:plugin/lifecycle@0.1.0" (instance $e)) (export "wythe:plugin/state-driver@0.1.0" (instance $e)))

;;; threads | threads must be enabled
(memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0))))

;;; threads-that-wait | threads support is not enabled
(memory 1) (func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))

;;; threads-of-everything | is no valid component
(type $f (shared (func)))

;;; stacks-that-switch | is no valid component
(type $f (func)) (type $c (cont $f)) (func (drop (ref.null $c)))

;;; pages-of-one-byte | is no valid component
(memory 1 (pagesize 1))

;;; arithmetic-of-128-bits | is no valid component
(func (drop (drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))))

;;; descriptors-of-types | is no valid component
(rec (type $a (descriptor $b) (struct)) (type $b (describes $a) (struct)))

;;; memories-101 | is no valid component
{101:(memory 0)}

;;; tables-101 | is no valid component
{101:(table 0 funcref)}

;;; memory-of-65537-pages | is no valid component
(memory 65537)

;;; memory-whose-least-is-more-than-its-end | is no valid component
(memory 2 1)

;;; wide-memory-beyond-all | is no valid component
(memory i64 0x1000000000001)

;;; parameters-1001 | is no valid component
(func (param {1001:i32 }))

;;; results-1001 | is no valid component
(type (func (result {1001:i32 })))

;;; locals-50001 | is no valid component
(func (local {50001:i32 }))

;;; fields-10001 | is no valid component
(type (struct {10001:(field i8)}))

;;; jump-to-nowhere | is no valid component
(func (br 7))

;;; call-of-nobody | is no valid component
(func (call 99))

;;; stack-that-is-empty | is no valid component
(func (result i32) i32.add)

;;; number-where-a-reference-belongs | is no valid component
(func (param i64) (ref.is_null (local.get 0)) drop)

;;; global-that-changes-and-may-not | is no valid component
(global i32 (i32.const 0)) (func (global.set 0 (i32.const 1)))

;;; reference-that-was-not-declared | is no valid component
(func $f) (func (drop (ref.func $f)))

;;; start-function-with-a-parameter | is no valid component
(func $f (param i32)) (start $f)

;;; export-twice | is no valid component
(func (export "a")) (func (export "a"))

;;; subtype-of-what-is-final | is no valid component
(type $a (struct)) (type $b (sub $a (struct)))

;;; name-of-100001-bytes | is no valid component
(func (export "{100001:a}"))

;;; two-memories-in-a-module | exceeds the per-instance limit
(memory 0) (memory 0)

;;; seventeen-tables-in-a-module | exceeds
{17:(table 0 funcref)}

;;; table-larger-than-any | exceeds
(table 4294967295 funcref)
