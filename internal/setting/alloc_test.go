//go:build !race

package setting_test

import (
	"testing"

	"portico/internal/setting"
)

func TestGetAllocatesNothing(t *testing.T) {
	s := open(t, &setting.Memory{}, nil, nil)
	n := testing.AllocsPerRun(100, func() {
		_ = setting.Get(s, setting.EnableSignup)
		_ = setting.Get(s, setting.JWTExpiresIn)
		_ = setting.Get(s, setting.ModelOrder)
		_ = setting.Get(s, setting.UserPermissions)
	})
	if n != 0 {
		t.Fatalf("reading four settings allocates %v times", n)
	}
}
