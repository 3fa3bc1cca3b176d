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

// Open opens the database for one of the command's verbs, with a server beside
// it or without, and builds the rooms of settings and accounts. Without a
// server it brings the schema up to date.
func Open(ctx context.Context, cfg *config.Config) (*Rooms, error) {
	return open(ctx, cfg, slog.New(slog.DiscardHandler), store.Options{Beside: true})
}

// Look opens what is there and makes and changes nothing. Only DB and Settings
// are built.
func Look(ctx context.Context, cfg *config.Config) (_ *Rooms, err error) {
	r := &Rooms{Bus: new(event.Bus), log: slog.New(slog.DiscardHandler)}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	return r, r.openSettings(ctx, cfg, store.Options{Beside: true, Keep: true})
}

func open(ctx context.Context, cfg *config.Config, log *slog.Logger, opt store.Options) (_ *Rooms, err error) {
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
	if err := r.openSettings(ctx, cfg, opt); err != nil {
		return nil, err
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

// openSettings opens the database and the room of settings.
func (r *Rooms) openSettings(ctx context.Context, cfg *config.Config, opt store.Options) (err error) {
	opt.Bus, opt.Log = r.Bus, r.log
	if r.DB, err = store.Open(ctx, cfg.Database(), opt); err != nil {
		return err
	}
	for _, n := range r.DB.Notices() {
		r.log.Warn(n)
	}
	pins, err := pins(cfg)
	if err != nil {
		return err
	}
	if r.Settings, err = setting.New(ctx, r.DB, pins, r.Bus); err != nil {
		return err
	}
	for name, fault := range r.Settings.Faults() {
		r.log.Warn("a stored setting is wrong and its default is used", "setting", name, "err", fault)
	}
	return nil
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
