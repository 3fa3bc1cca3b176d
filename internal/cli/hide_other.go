//go:build !linux

package cli

import "os"

// hideInput does nothing where it is not known how.
func hideInput(*os.File) (restore func()) { return func() {} }
