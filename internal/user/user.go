// Package user holds people and groups: what they are and how they are kept.
// Passwords, keys and tokens are in package auth; rights are in package access.
package user

import "context"

// Role is what a person may do at large.
type Role string

// The roles. A pending person is signed in but may use nothing yet.
const (
	Admin   Role = "admin"
	Member  Role = "user"
	Pending Role = "pending"
)

// Valid reports whether r is one of the three roles.
func (r Role) Valid() bool { return r == Admin || r == Member || r == Pending }

// DefaultImage is the profile image of somebody who set none.
const DefaultImage = "/user.png"

// User is a person. Times are seconds since 1970.
type User struct {
	ID              string `json:"id"`
	Email           string `json:"email"` // lower case, unique
	Name            string `json:"name"`
	Role            Role   `json:"role"`
	ProfileImageURL string `json:"profile_image_url"`
	Timezone        string `json:"timezone,omitempty"`
	// What people say of themselves; empty is nothing said.
	Bio         string `json:"bio,omitempty"`
	Gender      string `json:"gender,omitempty"`
	DateOfBirth string `json:"date_of_birth,omitempty"` // YYYY-MM-DD
	// The status is over at StatusExpiresAt; 0 is never.
	StatusEmoji     string `json:"status_emoji,omitempty"`
	StatusMessage   string `json:"status_message,omitempty"`
	StatusExpiresAt int64  `json:"status_expires_at,omitempty"`
	// Settings and Info are JSON objects of the client's own making, or empty.
	Settings     string `json:"-"`
	Info         string `json:"-"`
	LastActiveAt int64  `json:"last_active_at"`
	CreatedAt    int64  `json:"created_at"`
	UpdatedAt    int64  `json:"updated_at"`
}

// Group is a set of people that grants can name. Permissions is a JSON object
// of the shape of setting "user.permissions", or empty; Data and Meta are JSON
// objects of the client's own making, or empty.
type Group struct {
	ID          string `json:"id"`
	UserID      string `json:"user_id"` // who made it
	Name        string `json:"name"`
	Description string `json:"description"`
	Permissions string `json:"-"`
	Data        string `json:"-"`
	Meta        string `json:"-"`
	CreatedAt   int64  `json:"created_at"`
	UpdatedAt   int64  `json:"updated_at"`
}

// Change is an update: nil leaves a field as it is.
type Change struct {
	Email, Name, ProfileImageURL, Timezone, Settings, Info *string
	Bio, Gender, DateOfBirth, StatusEmoji, StatusMessage   *string
	StatusExpiresAt                                        *int64
	Role                                                   *Role
}

// Filter selects people for a list.
type Filter struct {
	Query         string // part of name or e-mail, case-insensitive; "" is everybody
	OrderBy       string // "name", "email", "role", "created_at" (default), "last_active_at"
	Descending    bool
	Offset, Limit int // Limit 0 is 30
}

// Store keeps people and groups. Absent ids give errdefs.NotFound, a taken
// e-mail errdefs.Conflict. Every write emits an event of topic "user" or
// "group" in the same transaction.
type Store interface {
	// CreateUser inserts u and its credential in one transaction. When first is
	// true it succeeds only while there is nobody yet (errdefs.Conflict else):
	// of any number of such calls at once exactly one succeeds.
	CreateUser(ctx context.Context, u *User, passwordHash, stamp string, first bool) error
	UserByID(ctx context.Context, id string) (*User, error)
	UserByEmail(ctx context.Context, email string) (*User, error)
	// UsersByID gives many people in one statement. Who is nobody is not in the
	// answer.
	UsersByID(ctx context.Context, ids []string) (map[string]*User, error)
	Users(ctx context.Context, f Filter) (page []*User, total int, err error)
	CountUsers(ctx context.Context) (int, error)
	// UpdateUser and DeleteUser refuse, with errdefs.Conflict, what would leave
	// no administrator.
	UpdateUser(ctx context.Context, id string, c Change, now int64) (*User, error)
	DeleteUser(ctx context.Context, id string) error
	// TouchUsers sets last_active_at of many people in one transaction, without an event.
	TouchUsers(ctx context.Context, at map[string]int64) error

	CreateGroup(ctx context.Context, g *Group) error
	GroupByID(ctx context.Context, id string) (*Group, error)
	Groups(ctx context.Context) ([]*Group, error)
	// GroupsWith gives the groups of one person, in one statement.
	GroupsWith(ctx context.Context, userID string) ([]*Group, error)
	UpdateGroup(ctx context.Context, g *Group) error
	DeleteGroup(ctx context.Context, id string) error
	// AddMembers and RemoveMembers emit a "user" event for each member, since
	// the groups of a person are part of what is cached of them.
	AddMembers(ctx context.Context, groupID string, userIDs []string) error
	RemoveMembers(ctx context.Context, groupID string, userIDs []string) error
	Members(ctx context.Context, groupID string) ([]string, error)
	// SetMembers makes these people, and nobody else, the members of a group. It
	// emits a "user" event for each who comes or goes.
	SetMembers(ctx context.Context, groupID string, userIDs []string) error
	// PeopleIn gives members of a group by name, up to limit.
	PeopleIn(ctx context.Context, groupID string, limit int) ([]*User, error)
	// CountMembers counts the members of each group that has any.
	CountMembers(ctx context.Context) (map[string]int, error)
	GroupsOf(ctx context.Context, userID string) ([]string, error)
	// GroupsOfEach is GroupsOf for many people in one statement. Who is in no
	// group, or is nobody, is not in the answer.
	GroupsOfEach(ctx context.Context, userIDs []string) (map[string][]string, error)
	// Absent gives those of the ids of people, and of groups, that nobody has.
	Absent(ctx context.Context, userIDs, groupIDs []string) ([]string, error)
	// Tx runs fn in one transaction: what fn does with its context is done
	// together or not at all.
	Tx(ctx context.Context, fn func(ctx context.Context) error) error
}
