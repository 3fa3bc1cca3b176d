package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"portico/internal/access"
	"portico/internal/auth"
	"portico/internal/config"
	"portico/internal/event"
	"portico/internal/setting"
	"portico/internal/store"
)

// Rooms are those that stand without listening: what the command's verbs need.
type Rooms struct {
	DB       *store.DB
	Bus      *event.Bus
	Settings *setting.Settings
	Auth     *auth.Service

	log *slog.Logger
}

// Open opens the database, brings its schema up to date, and builds the rooms
// of settings and accounts. log may be nil.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *Rooms, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Rooms{Bus: new(event.Bus), log: log}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	secret, err := cfg.Secret()
	if err != nil {
		return nil, err
	}
	if r.DB, err = store.Open(ctx, cfg.Database(), store.Options{Bus: r.Bus, Log: log}); err != nil {
		return nil, err
	}
	for _, n := range r.DB.Notices() {
		log.Warn(n)
	}
	pins, err := pins(cfg)
	if err != nil {
		return nil, err
	}
	if r.Settings, err = setting.New(ctx, r.DB, pins, r.Bus); err != nil {
		return nil, err
	}
	for name, fault := range r.Settings.Faults() {
		log.Warn("a stored setting is wrong and its default is used", "setting", name, "err", fault)
	}
	if r.Auth, err = auth.New(accounts(cfg, r.Settings, secret, log), r.DB, r.DB, r.Settings, r.Bus); err != nil {
		return nil, err
	}
	if cfg.AdminEmail == "" {
		return r, nil
	}
	made, err := r.Auth.CreateAdmin(ctx, auth.NewUser{Name: cfg.AdminName, Email: cfg.AdminEmail, Password: cfg.AdminPassword})
	if err != nil {
		return nil, fmt.Errorf("the administrator of WEBUI_ADMIN_EMAIL cannot be made: %w", err)
	}
	if made {
		log.Info("made the administrator of WEBUI_ADMIN_EMAIL")
	}
	return r, nil
}

// pins are the settings that come from outside. All faults are told at once.
func pins(cfg *config.Config) (map[string]setting.Pin, error) {
	pins, errs := setting.ParsePins(cfg.Environment, cfg.File())
	if len(errs) == 0 {
		return pins, nil
	}
	var faults config.Faults
	for _, err := range errs {
		faults = append(faults, err.Error())
	}
	return nil, faults
}

// accounts is what the room of accounts must know of the configuration.
func accounts(cfg *config.Config, settings *setting.Settings, secret []byte, log *slog.Logger) auth.Config {
	return auth.Config{
		Secret:         secret,
		Off:            !cfg.Auth,
		Trusted:        auth.TrustedHeaders(cfg.Trusted),
		Proxies:        cfg.TrustedProxies,
		KeyHeader:      cfg.KeyHeader,
		CookieSameSite: cfg.CookieSameSite,
		CookieSecure:   cfg.CookieSecure,
		Hashing:        auth.Hashing{Algorithm: cfg.PasswordHash},
		Policy:         policy(cfg),
		Log:            log,
	}
}

// policy is what the operator settled about access.
func policy(cfg *config.Config) access.Policy {
	return access.Policy{AdminSeesAll: cfg.AdminSeesAll, AllModels: cfg.AllModels}
}

// Close writes what is waiting to be written and closes the database.
func (r *Rooms) Close() {
	if r.Auth != nil {
		if err := r.Auth.Close(); err != nil {
			r.log.Warn("the last use of keys and people could not be written", "err", err)
		}
	}
	if r.Settings != nil {
		r.Settings.Close()
	}
	if r.DB != nil {
		if err := r.DB.Close(); err != nil {
			r.log.Warn("the database did not close well", "err", err)
		}
	}
}
