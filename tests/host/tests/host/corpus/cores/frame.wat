(component
  (import "wasi:http/types@0.2.0" (instance $http
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $http "incoming-request" (type $request))
  (alias export $http "response-outparam" (type $out))
  BEFORE
  (core module $attack MODULE)
  (core instance $i (instantiate $attack WITH))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $i "handle") LIFT))
  (instance $e (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $e)))
