package auth

import (
	"context"

	"portico/internal/setting"
)

// Permissions is what somebody may do in the web application and beyond: the
// default of the instance, with every switch on that a group of theirs has on.
// It is in memory for whoever was here before.
func (s *Service) Permissions(ctx context.Context, userID string) (setting.Permissions, error) {
	all, err := setting.ParsePermissions(setting.Get(s.settings, setting.UserPermissions))
	if err != nil {
		return nil, internal(err)
	}
	p, err := s.person(ctx, userID)
	if err != nil {
		return nil, internal(err)
	}
	all.Add(p.granted)
	return all, nil
}
