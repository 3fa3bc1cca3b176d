package auth

import (
	"context"

	"portico/internal/errdefs"
	"portico/internal/setting"
)

// Permissions is what somebody may do in the web application and beyond: the
// default of the instance, with every switch on that a group of theirs has on.
func (s *Service) Permissions(ctx context.Context, userID string) (setting.Permissions, error) {
	all, err := setting.ParsePermissions(setting.Get(s.settings, setting.UserPermissions))
	if err != nil {
		return nil, internal(err)
	}
	p, err := s.person(ctx, userID)
	if err != nil {
		return nil, internal(err)
	}
	for _, id := range p.groups {
		g, err := s.users.GroupByID(ctx, id)
		if errdefs.Is(err, errdefs.NotFound) {
			continue // deleted a moment ago
		}
		if err != nil {
			return nil, internal(err)
		}
		own, err := setting.ParsePermissions([]byte(g.Permissions))
		if err != nil {
			s.log.Warn("the permissions of a group make no sense and are left out", "group", id, "err", err)
			continue
		}
		all.Add(own)
	}
	return all, nil
}
