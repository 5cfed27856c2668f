//! What is no policy, and how it is said: rules N17 and N62 to N65.

use broker_core::filter::FilterScope::{self, MessageAttributes, MessageBody};

use crate::support::{for_attributes, for_body, refusal};

/// Checks that an array of values is refused for a key, in both scopes.
#[track_caller]
fn refused(values: &str, message: &str) {
    for scope in [MessageAttributes, MessageBody] {
        let policy = format!(r#"{{"key": {values}}}"#);
        assert_eq!(refusal(&policy, scope).message, message, "{policy}");
    }
}

#[track_caller]
fn policy_refused(policy: &str, scope: FilterScope, message: &str) {
    assert_eq!(refusal(policy, scope).message, message, "{policy}");
}

/// N64.
#[test]
fn an_array_holds_plain_values_or_objects_with_one_operator() {
    refused("[]", "Empty arrays are not allowed");
    refused(r#"["a", []]"#, "Match value must be String, number, true, false, or null");
    refused(r#"[["a"]]"#, "Match value must be String, number, true, false, or null");
    refused("[{}]", "Match expression name not found");
    refused(r#"[{"prefix": "a", "suffix": "b"}]"#, "Only one key allowed in match expression");
    refused(r#"[{"exists": true, "prefix": "a"}]"#, "Only one key allowed in match expression");
    refused(r#"[{"numeric": ["=", 1], "exists": true}]"#, "Only one key allowed in match expression");
    refused(r#"[{"anything-but": 1, "exists": true}]"#, "Only one key allowed in match expression");
}

/// N63, N64.
#[test]
fn operators_that_sns_does_not_document_are_not_recognized() {
    for operator in ["wildcard", "exactly", "x", "Prefix", "regex", ""] {
        refused(&format!(r#"[{{"{operator}": "a*"}}]"#), &format!("Unrecognized match type {operator}"));
    }
}

/// N64.
#[test]
fn a_key_has_an_object_or_an_array() {
    for scalar in [r#""a""#, "1", "true", "null"] {
        refused(scalar, r#""key" must be an object or an array"#);
    }
    policy_refused(r#"{"a": {"b": "c"}}"#, MessageBody, r#""b" must be an object or an array"#);
    policy_refused(r#"{"$or": "c"}"#, MessageBody, r#""$or" must be an object or an array"#);
    policy_refused(r#"{"a": {}}"#, MessageBody, "Empty objects are not allowed");
    policy_refused(r#"{"$or": [{"a": [1]}, {}]}"#, MessageBody, "Empty objects are not allowed");
}

/// N63: below the keys of an alternative, where the name of an operator makes no other key of `$or`.
#[test]
fn names_of_operators_are_no_keys_inside_of_alternatives() {
    let message = "prefix is Ruler reserved fieldName which cannot be used inside $or.";
    policy_refused(r#"{"$or": [{"a": {"prefix": [1]}}, {"b": [1]}]}"#, MessageBody, message);
    for_body(r#"{"a": {"prefix": [1]}}"#);
}

/// N60, N64.
#[test]
fn a_policy_is_a_json_object() {
    for scope in [MessageAttributes, MessageBody] {
        for other in ["[]", "1", r#""a""#, "null", r#"[{"a": ["b"]}]"#] {
            policy_refused(other, scope, "Filter is not an object");
        }
        for (text, why) in [
            ("", "the text ends where a value is expected"),
            ("{", "the name of a member is expected"),
            (r#"{"a""#, "':' is expected"),
            (r#"{"a": ["b""#, "the text ends inside an array or object"),
            (r#"{"a": ["b"]]"#, "',' or '}' is expected"),
            (r#"{"a": ["b"}"#, "',' or ']' is expected"),
            (r#"{"a": ["b"]} {}"#, "something follows behind the value"),
            (r#"{"a": [01]}"#, "a number begins with 0"),
            (r#"{"a": [.5]}"#, "a value is expected"),
            (r#"{"a": [1.]}"#, "a digit is expected"),
            (r#"{"a": [nul]}"#, "a value is expected"),
            (r#"{"a": ["b]}"#, "the text ends inside a string"),
            ("{\"a\": [\"\n\"]}", "a control character in a string"),
            (r#"{"a": ["\x"]}"#, "an escape that there is not"),
            (r#"{"a": ["\u12"]}"#, "four hexadecimal digits are expected"),
            (r#"{"a": ["\ud800"]}"#, "half a surrogate pair"),
            ("{'a': [1]}", "the name of a member is expected"),
            (r#"{"a": [1,]}"#, "a value is expected"),
            (r#"{"a": [1],}"#, "the name of a member is expected"),
        ] {
            policy_refused(text, scope, &format!("failed to parse JSON. {why}"));
        }
    }
}

/// N63, N64.
#[test]
fn operators_for_strings_take_a_string() {
    for operator in ["prefix", "suffix", "equals-ignore-case"] {
        for operand in ["1", "true", "null", r#"["a"]"#, r#"{"equals-ignore-case": "a"}"#] {
            let message = format!("{operator} match pattern must be a string");
            refused(&format!(r#"[{{"{operator}": {operand}}}]"#), &message);
        }
    }
}

/// N63.
#[test]
fn exists_is_true_or_false() {
    for operand in [r#""true""#, "1", "null", "[true]"] {
        let message = "exists match pattern must be either true or false.";
        refused(&format!(r#"[{{"exists": {operand}}}]"#), message);
    }
}

/// N63.
#[test]
fn anything_but_takes_strings_or_numbers_or_prefixes() {
    for (operand, message) in [
        (r#"{"suffix": "a"}"#, "Unsupported anything-but pattern: suffix"),
        (r#"{"exists": true}"#, "Unsupported anything-but pattern: exists"),
        (r#"{"wildcard": "a*"}"#, "Unsupported anything-but pattern: wildcard"),
        (r#"{"equals-ignore-case": "a"}"#, "Unsupported anything-but pattern: equals-ignore-case"),
        ("{}", "Anything-But expression name not found"),
        ("true", "Value of anything-but must be an array or single string/number value."),
        ("null", "Value of anything-but must be an array or single string/number value."),
        ("[true]", "Inside anything but list, start|null|boolean is not supported."),
        (r#"["a", []]"#, "Inside anything but list, start|null|boolean is not supported."),
        ("[]", MIXED),
        (r#"["a", 1]"#, MIXED),
        (r#"{"prefix": true}"#, "Value of anything-but must be an array or single string/number value."),
        (r#"{"prefix": 1}"#, "prefix/suffix match pattern must be a string"),
        (r#"{"prefix": ["a", 1]}"#, "prefix/suffix match pattern must be a string"),
        (r#"{"prefix": ""}"#, "Null prefix/suffix not allowed"),
        (r#"{"prefix": ["a", ""]}"#, "Null prefix/suffix not allowed"),
        (r#"{"prefix": "a", "suffix": "b"}"#, "Only one key allowed in match expression"),
    ] {
        refused(&format!(r#"[{{"anything-but": {operand}}}]"#), message);
    }
}

const MIXED: &str =
    "Inside anything but list, either all values are number or string, mixed type is not supported";

/// N63.
#[test]
fn cidr_takes_an_address_and_the_bits_of_a_mask() {
    for (operand, message) in [
        (r#""10.0.0.0""#, "Malformed CIDR, one '/' required"),
        (r#""10.0.0.0/""#, "Malformed CIDR, one '/' required"),
        (r#""10.0.0.0/1/2""#, "Malformed CIDR, one '/' required"),
        (r#""10.0.0.0/x""#, "Malformed CIDR, mask bits must be an integer"),
        (r#""10.0.0.0/99999999999""#, "Malformed CIDR, mask bits must be an integer"),
        (r#""10.0.0.0/-1""#, "Malformed CIDR, mask bits must not be negative"),
        (r#""10.0.0.0/32""#, "IPv4 mask bits must be < 32"),
        (r#""::1/128""#, "IPv6 mask bits must be < 128"),
        (r#""example/24""#, "Nonstandard IP address: example"),
        (r#""10.0.0/24""#, "Nonstandard IP address: 10.0.0"),
        (r#""/24""#, "Nonstandard IP address: "),
        (r#""10.0.0.256/24""#, "Invalid IP address: 10.0.0.256"),
        (r#""1::2::3/24""#, "Invalid IP address: 1::2::3"),
        ("1", "prefix match pattern must be a string"),
    ] {
        refused(&format!(r#"[{{"cidr": {operand}}}]"#), message);
    }
}

/// N65.
#[test]
fn numeric_takes_a_comparison_or_a_range() {
    for (operand, message) in [
        ("[]", "Invalid member in numeric match: ]"),
        (r#"[1, "<="]"#, "Invalid member in numeric match: 1"),
        (r#"[null, "<="]"#, "Invalid member in numeric match: null"),
        (r#"[["<="]]"#, "Invalid member in numeric match: ["),
        (r#"["op"]"#, "Unrecognized numeric range operator: op"),
        (r#"["op", 1]"#, "Unrecognized numeric range operator: op"),
        (r#"["=", "000"]"#, "Value of equals must be numeric"),
        (r#"["="]"#, "Value of equals must be numeric"),
        (r#"[">="]"#, "Value of >= must be numeric"),
        (r#"[">", "a"]"#, "Value of > must be numeric"),
        (r#"["<", null]"#, "Value of < must be numeric"),
        (r#"["<="]"#, "Value of <= must be numeric"),
        (r#"["=", 1, 2]"#, "Too many elements in numeric expression"),
        (r#"["<", 100, ">", 10]"#, "Too many elements in numeric expression"),
        (r#"[">=", 1, ">", 2]"#, "Bad numeric range operator: >"),
        (r#"[">=", 1, "=", 2]"#, "Bad numeric range operator: ="),
        (r#"[">", 1, "<"]"#, "Value of < must be numeric"),
        (r#"[">", 3, "<", 1]"#, "Bottom must be less than top"),
        (r#"[">=", 3, "<=", 3]"#, "Bottom must be less than top"),
        (r#"[">", 20, 30]"#, "Bad value in numeric range: 30"),
        (r#"[">", 20, "<", 30, "<", 50]"#, "Too many terms in numeric range expression"),
        (r#"[">", 20, "<", 30, "<"]"#, "Too many terms in numeric range expression"),
        ("1", "Value of numeric must be an array."),
        (r#"{"=": 1}"#, "Value of numeric must be an array."),
    ] {
        refused(&format!(r#"[{{"numeric": {operand}}}]"#), message);
    }
}

/// N17.
#[test]
fn attributes_have_no_nested_policy() {
    let message = "Filter policy scope MessageAttributes does not support nested filter policy";
    for nested in [r#"{"a": {"b": ["c"]}}"#, r#"{"$or": [{"a": {"b": [1]}}, {"c": [1]}]}"#, r#"{"a": {}}"#] {
        policy_refused(nested, MessageAttributes, message);
    }
    for_body(r#"{"a": {"b": ["c"]}}"#);
    for_attributes(r#"{"$or": [{"a": [1]}, {"b": [1]}]}"#);
}

/// N64: the position is that of the fault.
#[test]
fn an_error_names_line_and_column() {
    for (policy, line, column) in [
        ("", 1, 1),
        (r#"{"a": }"#, 1, 7),
        ("{\n  \"a\": [\"b\"],\n  \"c\": [{\"öäü\": 1}]\n}", 3, 10),
        ("{\n  \"a\": [\"öäü\", []]\n}", 2, 16),
        (r#"{"a": [{"numeric": ["=", 1, 2]}]}"#, 1, 29),
        (r#"{"\u0061": [{"x": 1}]}"#, 1, 14),
        (r#"{"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}"#, 1, 52),
    ] {
        let error = refusal(policy, MessageBody);
        assert_eq!((error.line, error.column), (line, column), "{policy}: {error}");
        assert_eq!(error.to_string(), format!("{}\n at line {line}, column {column}", error.message));
    }
}
