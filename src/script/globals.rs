//! Names that scripts find without declaring them, and those they look for in vain.

/// What scripts have.
pub(super) const THERE: [&str; 39] = [
    "AggregateError",
    "Array",
    "BigInt",
    "Boolean",
    "Error",
    "EvalError",
    "Infinity",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "WeakMap",
    "WeakSet",
    "arguments",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
];

/// What `api` has.
pub(super) const API: [&str; 7] = ["call", "choose", "json", "params", "regex", "text", "tokens"];

/// How a free name stands.
pub(super) enum Standing {
    /// It is there.
    There,
    /// It exists elsewhere and is kept from scripts; why, and what to do.
    Kept(&'static str),
    /// Nobody knows it.
    Unknown,
}

/// How a free name stands.
pub(super) fn standing(name: &str) -> Standing {
    if THERE.contains(&name) {
        return Standing::There;
    }
    Standing::Kept(match name {
        "Date" | "performance" | "Temporal" => "a script has no clock; `event.step` counts",
        "crypto" => "there is no chance; draw with `api.choose(items, key)`",
        "console" => "nobody reads it; what a processor changes is traced by itself",
        "setTimeout" | "setInterval" | "queueMicrotask" | "setImmediate" => "nothing waits; do the work at once",
        "fetch" | "XMLHttpRequest" | "WebSocket" | "require" | "process" | "Deno" | "Bun" | "std" | "os" | "module" | "exports" => {
            "a script reaches neither files nor network nor programs"
        }
        "eval" | "Function" | "globalThis" | "window" | "self" | "global" => "say what is meant by its name",
        "ArrayBuffer" | "SharedArrayBuffer" | "DataView" | "Atomics" | "Uint8Array" | "Int8Array" | "Uint8ClampedArray" | "Uint16Array"
        | "Int16Array" | "Uint32Array" | "Int32Array" | "Float32Array" | "Float64Array" | "BigInt64Array" | "BigUint64Array"
        | "TextEncoder" | "TextDecoder" | "Buffer" | "WebAssembly" => "use arrays and strings",
        "WeakRef" | "FinalizationRegistry" | "Intl" | "structuredClone" => "it is not part of this engine",
        _ => return Standing::Unknown,
    })
}
