package config

import "runtime/debug"

// Version is of this program. The version of the API it is compatible with is
// package api's affair.
const Version = "0.1.0"

// Revision is the commit that the binary was built from, or "unknown".
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
