// Package config is what must be known before anything else can start: one
// declared table of variables, read from flags, the environment and a file,
// all faults reported at once, immutable afterwards. What an administrator
// may change later is in package setting.
package config
