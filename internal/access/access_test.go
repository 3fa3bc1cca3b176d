package access

import (
	"testing"

	"portico/internal/user"
)

func TestCan(t *testing.T) {
	t.Parallel()
	member := &Principal{UserID: "u", Role: user.Member, Groups: []string{"g", "h"}}
	admin := &Principal{UserID: "a", Role: user.Admin}
	scoped := func(p *Principal, models ...string) *Principal { c := *p; c.Models = models; return &c }
	grant := func(kind, id, perm string) []Grant {
		return []Grant{{PrincipalType: kind, PrincipalID: id, Permission: perm}}
	}
	bypass, strict, open := Policy{AdminSeesAll: true}, Policy{}, Policy{AllModels: true}
	tests := []struct {
		name   string
		pol    Policy
		who    *Principal
		verb   Verb
		kind   Kind
		owner  string
		grants []Grant
		want   bool
	}{
		{"nobody", bypass, nil, Read, Model, "", grant("anyone", "", "read"), false},
		{"pending owner", bypass, &Principal{UserID: "u", Role: user.Pending}, Read, Model, "u", nil, false},
		{"no grant", bypass, member, Read, Model, "", nil, false},
		{"owner writes", strict, member, Write, File, "u", nil, true},
		{"foreign owner", strict, member, Read, File, "x", nil, false},
		{"no owner is not everybody's", strict, &Principal{Role: user.Member}, Read, File, "", nil, false},
		{"admin", bypass, admin, Write, Model, "", nil, true},
		{"admin without bypass", strict, admin, Read, Model, "", nil, false},
		{"all models", open, member, Read, Model, "", nil, true},
		{"all models is reading", open, member, Write, Model, "", nil, false},
		{"all models is models", open, member, Read, File, "x", nil, false},
		{"own grant", strict, member, Read, Model, "", grant("user", "u", "read"), true},
		{"read is not write", strict, member, Write, Model, "", grant("user", "u", "read"), false},
		{"write is read", strict, member, Read, Model, "", grant("user", "u", "write"), true},
		{"everybody", strict, member, Read, Model, "", grant("user", "*", "read"), true},
		{"everybody never writes", strict, member, Write, Model, "", grant("user", "*", "write"), false},
		{"group", strict, member, Read, Model, "", grant("group", "h", "read"), true},
		{"group writes", strict, member, Write, Model, "", grant("group", "g", "write"), true},
		{"other group", strict, member, Read, Model, "", grant("group", "i", "read"), false},
		{"anyone", strict, member, Read, Chat, "x", grant("anyone", "", "read"), true},
		{"anyone never writes", strict, member, Write, Chat, "x", grant("anyone", "", "write"), false},
		{"unknown permission", strict, member, Read, Model, "", grant("user", "u", "own"), false},
		{"unknown principal", strict, member, Read, Model, "", grant("role", "u", "read"), false},
		{"key in scope", bypass, scoped(admin, "m:latest"), Read, Model, "", nil, true},
		{"key in scope by its short name", bypass, scoped(admin, "m"), Read, Model, "", nil, true},
		{"key out of scope", bypass, scoped(admin, "other"), Read, Model, "", nil, false},
		{"a tag is no prefix", bypass, scoped(admin, "m:7b"), Read, Model, "", nil, false},
		{"a scope gives nothing", strict, scoped(member, "m:latest"), Read, Model, "", nil, false},
	}
	for _, tt := range tests {
		if got := tt.pol.Can(tt.who, tt.verb, tt.kind, tt.owner, "m:latest", tt.grants); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
