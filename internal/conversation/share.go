package conversation

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/errdefs"
)

// Shared is a copy of a chat for others to read: what was said before it was
// shared, and nothing that was said since.
type Shared struct {
	ID, ChatID, UserID, Title string
	Body                      json.RawMessage
	CreatedAt, UpdatedAt      int64
}

// ShareStore keeps shared copies. The grants upon a chat are about its copy.
type ShareStore interface {
	// ShareChat makes or renews the copy of a chat; grants are for one that is new.
	ShareChat(ctx context.Context, sh *Shared, grants []access.Grant) error
	SharedByID(ctx context.Context, id string) (*Shared, error)
	// Unshare removes the copy of a chat, or of all chats of a person for "".
	Unshare(ctx context.Context, userID, chatID string) error
}

// Share copies a chat for others. A second time renews the copy under the same
// id. Everybody who is signed in may read a new one if the author may share
// with everybody, else those to whom it is then granted.
func (s *Service) Share(ctx context.Context, who access.Author, id string) (*Chat, error) {
	c, err := s.Own(ctx, who.Principal, id)
	if err != nil {
		return nil, err
	}
	if !who.Has("chat.share") {
		return nil, errdefs.New(errdefs.Forbidden, "You may not share chats. Ask an administrator for the permission.").WithStatus(401)
	}
	now := s.now()
	sh := &Shared{ID: c.ShareID, ChatID: c.ID, UserID: c.UserID, Title: c.Title, Body: c.Body, CreatedAt: now, UpdatedAt: now}
	var grants []access.Grant
	if sh.ID == "" {
		sh.ID = s.cfg.NewID()
		if who.Has("sharing.public_chats") {
			grants = []access.Grant{{PrincipalType: "user", PrincipalID: "*", Permission: "read"}}
		}
	}
	if err := s.cfg.Store.ShareChat(ctx, sh, grants); err != nil {
		return nil, err
	}
	return s.cfg.Store.ChatByID(ctx, id)
}

// Unshare removes the copy; false when there was none.
func (s *Service) Unshare(ctx context.Context, who *access.Principal, id string) (bool, error) {
	c, err := s.Own(ctx, who, id)
	if err != nil || c.ShareID == "" {
		return false, err
	}
	return true, s.cfg.Store.Unshare(ctx, who.UserID, id)
}

// UnshareAll removes the copies of all of the caller's chats.
func (s *Service) UnshareAll(ctx context.Context, who *access.Principal) error {
	return s.cfg.Store.Unshare(ctx, who.UserID, "")
}

// Shared gives a copy to whoever may read it. Without the copy's id nobody
// finds it, and with it only those to whom it is granted.
func (s *Service) Shared(ctx context.Context, who *access.Principal, shareID string) (*Shared, error) {
	sh, err := s.cfg.Store.SharedByID(ctx, shareID)
	if errdefs.Is(err, errdefs.NotFound) {
		return nil, noChat()
	}
	if err != nil {
		return nil, err
	}
	grants, err := s.cfg.Grants.GrantsOf(ctx, access.Chat, sh.ChatID)
	if err != nil {
		return nil, err
	}
	policy := access.Policy{AdminSeesAll: s.cfg.AdminsRead()}
	if !policy.Can(who, access.Read, access.Chat, sh.UserID, sh.ID, grants) {
		return nil, noChat()
	}
	return sh, nil
}

// Grants are those of the copy of a chat.
func (s *Service) Grants(ctx context.Context, who *access.Principal, id string) ([]access.Grant, error) {
	c, err := s.Own(ctx, who, id)
	if err != nil || c.ShareID == "" {
		return nil, err
	}
	return s.cfg.Grants.GrantsOf(ctx, access.Chat, c.ID)
}

// SetGrants says who may read the copy of a chat. Nobody ever writes it.
func (s *Service) SetGrants(ctx context.Context, who access.Author, id string, grants []access.Grant) (*Chat, error) {
	c, err := s.Own(ctx, who.Principal, id)
	if err != nil {
		return nil, err
	}
	if c.ShareID == "" {
		return nil, errdefs.New(errdefs.Invalid, "The chat is not shared. Share it first.")
	}
	have, err := s.cfg.Grants.GrantsOf(ctx, access.Chat, c.ID)
	if err != nil {
		return nil, err
	}
	for i := range grants {
		grants[i].Permission = "read"
	}
	if err := mayGive(who, have, grants); err != nil {
		return nil, err
	}
	return c, s.cfg.Grants.SetGrants(ctx, access.Chat, c.ID, grants)
}

// mayGive is access.Author.MayGive under the permissions that chats have:
// chat.share for people and groups, sharing.public_chats for everybody.
func mayGive(who access.Author, have, grants []access.Grant) error {
	scoped := access.Author{Principal: who.Principal, May: func(permission string) bool {
		if permission == "sharing.chats" {
			permission = "chat.share"
		}
		return who.Has(permission)
	}}
	return scoped.MayGive("chats", have, grants)
}

// Clone copies a chat of the caller's own, whole or up to a message.
func (s *Service) Clone(ctx context.Context, who *access.Principal, id, title, messageID string) (*Chat, error) {
	c, err := s.Own(ctx, who, id)
	if err != nil {
		return nil, err
	}
	body := c.Body
	if messageID != "" {
		if body, err = upTo(body, messageID); err != nil {
			return nil, err
		}
	}
	return s.copy(ctx, who, c.ID, c.Title, title, body)
}

// CloneShared copies what somebody shared.
func (s *Service) CloneShared(ctx context.Context, who *access.Principal, shareID string) (*Chat, error) {
	sh, err := s.Shared(ctx, who, shareID)
	if err != nil {
		return nil, err
	}
	return s.copy(ctx, who, sh.ID, sh.Title, "", sh.Body)
}

func (s *Service) copy(ctx context.Context, who *access.Principal, id, old, title string, body json.RawMessage) (*Chat, error) {
	if title == "" {
		title = "Clone of " + old
	}
	members, err := json.Marshal(map[string]any{"originalChatId": id, "branchPointMessageId": currentID(body), "title": clip(title)})
	if err != nil {
		return nil, err
	}
	if body, err = over(body, members); err != nil {
		return nil, err
	}
	made, err := s.Create(ctx, who, Draft{Body: body})
	if err != nil {
		return nil, err
	}
	return made[0], nil
}
