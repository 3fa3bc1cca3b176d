package auth

import (
	"context"
	"encoding/json"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/setting"
	"portico/internal/user"
)

// GroupDraft is what an administrator gives of a group. Nil fields of an
// update stay as they are; Members is all of them.
type GroupDraft struct {
	Name, Description       string
	Permissions, Data, Meta json.RawMessage
	Members                 *[]string
}

// The largest texts of a group, in bytes, and how many people one request may
// bring into it.
const (
	longestDescription = 16 << 10
	longestGroupData   = 256 << 10
	mostMembers        = 100_000
)

// CreateGroup makes a group, with its members at once.
func (s *Service) CreateGroup(ctx context.Context, makerID string, d GroupDraft) (*user.Group, error) {
	id, err := s.newID()
	if err != nil {
		return nil, internal(err)
	}
	now := s.now().Unix()
	g := &user.Group{ID: id, UserID: makerID, CreatedAt: now}
	if err := d.apply(g, now); err != nil {
		return nil, err
	}
	return g, s.storeGroup(ctx, g, d.Members, s.users.CreateGroup)
}

// UpdateGroup changes a group: all that is given of it, or nothing.
func (s *Service) UpdateGroup(ctx context.Context, id string, d GroupDraft) (*user.Group, error) {
	g, err := s.users.GroupByID(ctx, id)
	if err != nil {
		return nil, internal(err)
	}
	if err := d.apply(g, s.now().Unix()); err != nil {
		return nil, err
	}
	return g, s.storeGroup(ctx, g, d.Members, s.users.UpdateGroup)
}

// storeGroup writes a group and who is in it in one transaction.
func (s *Service) storeGroup(ctx context.Context, g *user.Group, members *[]string, store func(context.Context, *user.Group) error) error {
	if members == nil {
		return store(ctx, g)
	}
	if err := s.checkMembers(ctx, *members); err != nil {
		return err
	}
	return s.users.Tx(ctx, func(ctx context.Context) error {
		if err := store(ctx, g); err != nil {
			return err
		}
		return s.users.SetMembers(ctx, g.ID, *members)
	})
}

// AddMembers brings people into a group; all of them or, if one does not
// exist, nobody.
func (s *Service) AddMembers(ctx context.Context, groupID string, userIDs []string) error {
	if _, err := s.users.GroupByID(ctx, groupID); err != nil {
		return err
	}
	if err := s.checkMembers(ctx, userIDs); err != nil {
		return err
	}
	return s.users.AddMembers(ctx, groupID, userIDs)
}

// checkMembers refuses people who do not exist, and says who that is.
func (s *Service) checkMembers(ctx context.Context, userIDs []string) error {
	if len(userIDs) > mostMembers {
		return errdefs.Newf(errdefs.Invalid, "One request takes at most %d people. Send several.", mostMembers)
	}
	absent, err := s.users.Absent(ctx, userIDs, nil)
	if err != nil {
		return internal(err)
	}
	if len(absent) > 0 {
		return errdefs.Newf(errdefs.Invalid, "There is nobody with the id %.80q, so nothing was changed. GET /api/v1/users/all lists the ids.", absent[0])
	}
	return nil
}

// apply lays a draft over a group.
func (d *GroupDraft) apply(g *user.Group, now int64) error {
	d.Name = strings.TrimSpace(d.Name)
	if err := checkName(d.Name); err != nil {
		return err
	}
	if len(d.Description) > longestDescription {
		return errdefs.Newf(errdefs.Invalid, "The description is too long: it may have at most %d bytes.", longestDescription)
	}
	for _, part := range []struct {
		name  string
		value json.RawMessage
		into  *string
	}{{"permissions", d.Permissions, &g.Permissions}, {"data", d.Data, &g.Data}, {"meta", d.Meta, &g.Meta}} {
		if part.value == nil {
			continue
		}
		if len(part.value) > longestGroupData {
			return errdefs.Newf(errdefs.Invalid, "The %s of the group are too long: they may have at most %d bytes.", part.name, longestGroupData)
		}
		*part.into = string(part.value)
	}
	if _, err := setting.ParsePermissions([]byte(g.Permissions)); err != nil {
		return errdefs.New(errdefs.Invalid, "The permissions of a group are an object of objects of switches, such as {\"workspace\":{\"models\":true}}.").WithCause(err)
	}
	g.Name, g.Description, g.UpdatedAt = d.Name, d.Description, now
	return nil
}
