package server

import (
	"context"
	"fmt"
	"net/http"

	"portico/internal/egress"
	"portico/internal/hop"
)

// Alive asks the server at base, such as "http://localhost:3000", whether it
// is alive.
func Alive(ctx context.Context, base string) error {
	up, err := hop.New(base, hop.Options{Dialer: egress.NewAdmin(egress.Config{}), MaxIdle: 1})
	if err != nil {
		return err
	}
	defer up.Close()
	resp, err := up.Do(ctx, &hop.Request{Path: "/health"})
	if err != nil {
		return fmt.Errorf("the server at %s does not answer: %w", base, err)
	}
	defer resp.Close()
	if resp.Status != http.StatusOK {
		return fmt.Errorf("the server at %s answers with status %d", base, resp.Status)
	}
	return nil
}
