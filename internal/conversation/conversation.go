// Package conversation is what people keep of their chats: each a tree of
// messages in the shape in which clients send it, with a title, tags, a place
// in a folder, and perhaps a copy that is shared. A chat belongs to one person;
// who else may read it is decided here, by access.Policy alone. It knows
// nothing of models: package chat writes the turns that a server completes
// through a Turn.
package conversation

import (
	"context"
	"encoding/json"
	"time"

	"portico/internal/access"
	"portico/internal/errdefs"
)

// Chat is a saved chat.
type Chat struct {
	ID, UserID, Title string
	// Body is the JSON object that clients keep: title, models, history. It is
	// empty in lists.
	Body json.RawMessage
	// Meta is a JSON object, without the tags, which are Tags.
	Meta json.RawMessage
	Tags []Tag

	FolderID, ShareID string // "" is none
	Archived, Pinned  bool
	ReadAt            int64 // 0 is never
	CreatedAt         int64
	UpdatedAt         int64
}

// Tag is a word by which chats are found. ID is its name in lower case, with
// underscores for spaces.
type Tag struct{ ID, Name string }

// Filter selects chats of one person.
type Filter struct {
	UserID string
	// Query is looked for in titles and messages, or, with InTitle, in titles.
	Query   string
	InTitle bool

	Archived, Pinned, Shared *bool
	Folders                  []string // in one of these; "" is in none
	Tags                     []string // ids; all of them
	Untagged                 bool

	OrderBy       string // "title", "created_at", else "updated_at"
	Ascending     bool
	Offset, Limit int // Limit 0 is all
}

// Change is what is to change beside the body; nil fields stay.
type Change struct {
	FolderID *string
	ReadAt   *int64
	Archived *bool
}

// Store keeps chats. What is not there is errdefs.NotFound, what is there
// already errdefs.Conflict.
type Store interface {
	// CreateChats makes all or none.
	CreateChats(ctx context.Context, chats ...*Chat) error
	ChatByID(ctx context.Context, id string) (*Chat, error)
	// ChangeChat lets change work on the newest state of a chat, alone, and
	// keeps its title, body, meta and time. Nothing is kept when it fails.
	ChangeChat(ctx context.Context, id string, change func(*Chat) error) (*Chat, error)
	// SetChat changes what is beside the body.
	SetChat(ctx context.Context, id string, c Change) error
	// ToggleChat turns "pinned" or "archived" over.
	ToggleChat(ctx context.Context, id, what string) error
	DeleteChat(ctx context.Context, id string) error
	DeleteChatsOf(ctx context.Context, userID string) error
	// ArchiveChatsOf archives all chats of a person, or brings all back.
	ArchiveChatsOf(ctx context.Context, userID string, archived bool) error
	// ReadChatsOf marks the chats of a person as read, "" for those in every folder.
	ReadChatsOf(ctx context.Context, userID, folderID string, now int64) error

	// ListChats gives chats without their bodies.
	ListChats(ctx context.Context, f Filter) ([]*Chat, error)
	CountChats(ctx context.Context, f Filter) (int, error)

	AddTag(ctx context.Context, chatID string, t Tag) error
	// DropTag takes one tag off a chat, or all for "".
	DropTag(ctx context.Context, chatID, tagID string) error
	// TagsOf are the tags that a person's chats have, by name.
	TagsOf(ctx context.Context, userID string) ([]Tag, error)

	// EachChat gives every chat of everybody, with its body, one at a time.
	EachChat(ctx context.Context, visit func(*Chat) error) error

	ShareStore
	FolderStore
}

// Config is what a Service is made of. Zero fields take the defaults in
// parentheses.
type Config struct {
	Store  Store
	Grants access.Store
	NewID  func() string
	Now    func() time.Time // (time.Now)
	// AdminsRead lets administrators read everybody's chats (nobody may).
	// Nobody writes the chats of others.
	AdminsRead func() bool
	// MaxBody bounds one chat, in bytes (32 MiB).
	MaxBody int
}

// Service is the room. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.AdminsRead == nil {
		cfg.AdminsRead = func() bool { return false }
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 32 << 20
	}
	return &Service{cfg: cfg}
}

func (s *Service) now() int64 { return s.cfg.Now().Unix() }

// NoChat is the code of the error for a chat that is not there.
const NoChat = "no_such_chat"

// noChat is the same for what is not there and what is not theirs.
func noChat() error {
	return &errdefs.Error{Kind: errdefs.NotFound, Detail: "There is no such chat, or it is not yours.", Code: NoChat}
}

// may decides. Grants stand on shared copies, never on the chat itself.
func (s *Service) may(who *access.Principal, verb access.Verb, c *Chat) bool {
	policy := access.Policy{AdminSeesAll: verb == access.Read && s.cfg.AdminsRead()}
	return policy.Can(who, verb, access.Chat, c.UserID, c.ID, nil)
}

// chat finds a chat that who may read or write.
func (s *Service) chat(ctx context.Context, who *access.Principal, verb access.Verb, id string) (*Chat, error) {
	c, err := s.cfg.Store.ChatByID(ctx, id)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil, noChat()
	}
	if err != nil {
		return nil, err
	}
	if !s.may(who, verb, c) {
		return nil, noChat()
	}
	return c, nil
}

// Get gives one chat.
func (s *Service) Get(ctx context.Context, who *access.Principal, id string) (*Chat, error) {
	return s.chat(ctx, who, access.Read, id)
}

// Own gives a chat that who may change.
func (s *Service) Own(ctx context.Context, who *access.Principal, id string) (*Chat, error) {
	return s.chat(ctx, who, access.Write, id)
}

// Draft is a chat that is to be made.
type Draft struct {
	Body                 json.RawMessage
	Meta                 json.RawMessage // may hold "tags"
	FolderID             string
	Pinned               bool
	CreatedAt, UpdatedAt int64 // 0 is now
}

// maxImport is how many chats are imported at once.
const maxImport = 10_000

// Create saves chats, all or none, in folders of their owner.
func (s *Service) Create(ctx context.Context, who *access.Principal, drafts ...Draft) ([]*Chat, error) {
	if len(drafts) > maxImport {
		return nil, errdefs.Newf(errdefs.Invalid, "At most %d chats are imported at once.", maxImport)
	}
	now := s.now()
	chats := make([]*Chat, 0, len(drafts))
	checked := map[string]bool{"": true}
	for _, d := range drafts {
		if !checked[d.FolderID] {
			if _, err := s.Folder(ctx, who, d.FolderID); err != nil {
				return nil, err
			}
			checked[d.FolderID] = true
		}
		c := &Chat{ID: s.cfg.NewID(), UserID: who.UserID, Body: d.Body, FolderID: d.FolderID, Pinned: d.Pinned, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt}
		if c.CreatedAt <= 0 {
			c.CreatedAt = now
		}
		if c.UpdatedAt <= 0 {
			c.UpdatedAt = now
		}
		if err := s.settle(c); err != nil {
			return nil, err
		}
		if err := c.takeMeta(d.Meta); err != nil {
			return nil, err
		}
		chats = append(chats, c)
	}
	return chats, s.cfg.Store.CreateChats(ctx, chats...)
}

// Update lays the members of a body over those that are kept.
func (s *Service) Update(ctx context.Context, who *access.Principal, id string, body json.RawMessage) (*Chat, error) {
	return s.change(ctx, who, id, func(c *Chat) (err error) {
		c.Body, err = over(c.Body, body)
		return err
	})
}

// change works on the newest state of a chat of their own.
func (s *Service) change(ctx context.Context, who *access.Principal, id string, change func(*Chat) error) (*Chat, error) {
	there := false
	c, err := s.cfg.Store.ChangeChat(ctx, id, func(c *Chat) error {
		if !s.may(who, access.Write, c) {
			return noChat()
		}
		there = true
		if err := change(c); err != nil {
			return err
		}
		c.UpdatedAt = s.now()
		return s.settle(c)
	})
	if !there && errdefs.Is(err, errdefs.NotFound) {
		return nil, noChat()
	}
	return c, err
}

// Delete removes a chat.
func (s *Service) Delete(ctx context.Context, who *access.Principal, id string) error {
	if _, err := s.Own(ctx, who, id); err != nil {
		return err
	}
	return s.cfg.Store.DeleteChat(ctx, id)
}

// DeleteAll removes all chats of the caller.
func (s *Service) DeleteAll(ctx context.Context, who *access.Principal) error {
	return s.cfg.Store.DeleteChatsOf(ctx, who.UserID)
}

// ArchiveAll archives all chats of the caller, or brings them back.
func (s *Service) ArchiveAll(ctx context.Context, who *access.Principal, archived bool) error {
	return s.cfg.Store.ArchiveChatsOf(ctx, who.UserID, archived)
}

// MarkAllRead marks the caller's chats as read, those in a folder or all for "".
func (s *Service) MarkAllRead(ctx context.Context, who *access.Principal, folderID string) error {
	if folderID != "" {
		if _, err := s.Folder(ctx, who, folderID); err != nil {
			return err
		}
	}
	return s.cfg.Store.ReadChatsOf(ctx, who.UserID, folderID, s.now())
}

// Pin turns over whether a chat is pinned.
func (s *Service) Pin(ctx context.Context, who *access.Principal, id string) (*Chat, error) {
	return s.toggle(ctx, who, id, "pinned")
}

// Archive turns over whether a chat is archived.
func (s *Service) Archive(ctx context.Context, who *access.Principal, id string) (*Chat, error) {
	return s.toggle(ctx, who, id, "archived")
}

func (s *Service) toggle(ctx context.Context, who *access.Principal, id, what string) (*Chat, error) {
	if _, err := s.Own(ctx, who, id); err != nil {
		return nil, err
	}
	if err := s.cfg.Store.ToggleChat(ctx, id, what); err != nil {
		return nil, err
	}
	return s.cfg.Store.ChatByID(ctx, id)
}

// Move puts a chat into a folder of its owner, or out of all for "".
func (s *Service) Move(ctx context.Context, who *access.Principal, id, folderID string) (*Chat, error) {
	if folderID != "" {
		if _, err := s.Folder(ctx, who, folderID); err != nil {
			return nil, err
		}
	}
	return s.set(ctx, who, id, Change{FolderID: &folderID})
}

// MarkRead says when a chat was read; never for false.
func (s *Service) MarkRead(ctx context.Context, who *access.Principal, id string, read bool) (*Chat, error) {
	var at int64
	if read {
		at = s.now()
	}
	return s.set(ctx, who, id, Change{ReadAt: &at})
}

func (s *Service) set(ctx context.Context, who *access.Principal, id string, ch Change) (*Chat, error) {
	if _, err := s.Own(ctx, who, id); err != nil {
		return nil, err
	}
	if err := s.cfg.Store.SetChat(ctx, id, ch); err != nil {
		return nil, err
	}
	return s.cfg.Store.ChatByID(ctx, id)
}

// List gives the caller's chats, without bodies.
func (s *Service) List(ctx context.Context, who *access.Principal, f Filter) ([]*Chat, error) {
	f.UserID = who.UserID
	return s.cfg.Store.ListChats(ctx, f)
}

// Count says how many the caller has.
func (s *Service) Count(ctx context.Context, who *access.Principal, f Filter) (int, error) {
	f.UserID = who.UserID
	return s.cfg.Store.CountChats(ctx, f)
}

// ListOf gives an administrator the chats of somebody.
func (s *Service) ListOf(ctx context.Context, who *access.Principal, f Filter) ([]*Chat, error) {
	if !s.may(who, access.Read, &Chat{UserID: f.UserID}) {
		return nil, errdefs.New(errdefs.Forbidden, "Administrators may not read the chats of others here: ENABLE_ADMIN_CHAT_ACCESS is off.").WithStatus(401)
	}
	return s.cfg.Store.ListChats(ctx, f)
}

// EachOf gives an administrator every chat of everybody.
func (s *Service) EachOf(ctx context.Context, who *access.Principal, visit func(*Chat) error) error {
	if !who.IsAdmin() {
		return errdefs.New(errdefs.Forbidden, "Only administrators export everybody's chats.").WithStatus(401)
	}
	return s.cfg.Store.EachChat(ctx, visit)
}
