//! Telemetry: spans, metrics and the trace context of messages, with the names of OpenTelemetry.
