// Package telemetry is what an operator sees of the running server: structured
// logs, metrics in Prometheus' text format, request ids. Keys, passwords,
// prompts and file contents may not enter: attributes with such names are
// blanked here, whoever logs them, and long values are cut.
package telemetry
