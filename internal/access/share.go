package access

import (
	"slices"

	"portico/internal/errdefs"
)

// Author is who makes, changes and shares things, and what the instance lets
// them do beside what their role does.
type Author struct {
	*Principal
	// May reports a permission such as "workspace.models". It is asked of
	// people who are no administrators.
	May func(permission string) bool
	// Absent gives those of the ids of people, and of groups, that do not exist.
	// Nil is for authors whose grants need not be checked.
	Absent func(userIDs, groupIDs []string) ([]string, error)
	// Reads fails when the author may not read a thing; nil reads all.
	Reads func(kind Kind, id string) error
}

// Has reports a permission; administrators have all.
func (a Author) Has(permission string) bool { return a.IsAdmin() || a.May != nil && a.May(permission) }

// The longest id of somebody in a grant, in bytes, and the longest list of
// grants.
const (
	maxID     = 256
	maxGrants = 10_000
)

// Check refuses a grant that makes no sense, and clears what is the server's
// to say.
func (g *Grant) Check() error {
	g.ID, g.CreatedAt = "", 0
	kinds := g.PrincipalType == "user" || g.PrincipalType == "group" || g.PrincipalType == "anyone"
	if !kinds || (g.Permission != "read" && g.Permission != "write") || (g.PrincipalID == "" && g.PrincipalType != "anyone") || len(g.PrincipalID) > maxID {
		return errdefs.New(errdefs.Invalid, "An access grant has a principal_type (user, group or anyone), a principal_id and a permission (read or write).")
	}
	return nil
}

// Gives leaves out the grants that are not the author's to give, as it is done
// when a thing is made. What makes no sense is refused.
func (a Author) Gives(things string, grants []Grant) ([]Grant, error) {
	var given []Grant
	for _, g := range grants {
		if err := g.Check(); err != nil {
			return nil, err
		}
		if a.mayGive(things, &g) == nil {
			given = append(given, g)
		}
	}
	return given, a.exist(given)
}

// Brings is Gives for what comes from elsewhere: it leaves out those grants,
// too, that are to somebody who is not here.
func (a Author) Brings(things string, grants []Grant) ([]Grant, error) {
	absent, err := a.absent(grants)
	if err != nil {
		return nil, err
	}
	known := slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool { return slices.Contains(absent, g.PrincipalID) })
	return a.Gives(things, known)
}

// exist refuses grants to somebody who does not exist.
func (a Author) exist(grants []Grant) error {
	absent, err := a.absent(grants)
	if err == nil && len(absent) > 0 {
		err = errdefs.Newf(errdefs.Invalid, "There is no person or group with the id %.80q to share with, so nothing was changed.", absent[0])
	}
	return err
}

// absent gives those whom grants name and who do not exist.
func (a Author) absent(grants []Grant) ([]string, error) {
	if len(grants) > maxGrants {
		return nil, errdefs.Newf(errdefs.Invalid, "One thing is shared with at most %d people and groups. Share with groups instead.", maxGrants)
	}
	if a.Absent == nil {
		return nil, nil
	}
	var people, groups []string
	for i := range grants {
		switch g := &grants[i]; {
		case g.PrincipalType == "group":
			groups = append(groups, g.PrincipalID)
		case g.PrincipalType == "user" && g.PrincipalID != "*":
			people = append(people, g.PrincipalID)
		}
	}
	if len(people)+len(groups) == 0 {
		return nil, nil
	}
	return a.Absent(people, groups)
}

// MayGive refuses the first grant that makes no sense or is not the author's to
// give. Those that are there already may stay. Things is the plural in the
// permissions' names: "models", "knowledge".
func (a Author) MayGive(things string, have, grants []Grant) error {
	var fresh []Grant
	for i := range grants {
		if err := grants[i].Check(); err != nil {
			return err
		}
		if given(have, &grants[i]) {
			continue
		}
		if err := a.mayGive(things, &grants[i]); err != nil {
			return err
		}
		fresh = append(fresh, grants[i])
	}
	return a.exist(fresh)
}

func given(have []Grant, g *Grant) bool {
	for i := range have {
		if have[i].PrincipalType == g.PrincipalType && have[i].PrincipalID == g.PrincipalID && have[i].Permission == g.Permission {
			return true
		}
	}
	return false
}

// mayGive says why a grant is not the author's to give.
func (a Author) mayGive(things string, g *Grant) error {
	public := g.PrincipalType == "anyone" || g.PrincipalID == "*"
	switch {
	case a.IsAdmin():
		return nil
	case public && !a.Has("sharing.public_"+things):
		return errdefs.Newf(errdefs.Forbidden, "You may not share %s with everybody.", things)
	case !public && !a.Has("sharing."+things):
		return errdefs.Newf(errdefs.Forbidden, "You may not share %s.", things)
	case !public && g.PrincipalType == "user" && !a.Has("access_grants.allow_users"):
		return errdefs.New(errdefs.Forbidden, "You may not share with single people.")
	case g.PrincipalType == "group" && !a.Has("access_grants.allow_groups"):
		return errdefs.New(errdefs.Forbidden, "You may not share with groups.")
	}
	return nil
}
