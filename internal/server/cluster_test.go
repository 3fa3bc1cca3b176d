package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"portico/internal/store/storetest"
)

// TestTwoServers: what one of two servers on one PostgreSQL revokes, the other
// refuses within a second.
func TestTwoServers(t *testing.T) {
	url := storetest.Postgres(t)
	env := []string{"DATABASE_URL=" + url, "WEBUI_SECRET_KEY=0123456789abcdef0123456789abcdef"}
	ctx, stop := context.WithCancel(t.Context())
	var bases []string
	ended := make(chan error, 2)
	for range 2 {
		s, err := New(ctx, load(t, env...))
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- s.Run(ctx) }()
		bases = append(bases, "http://"+s.Addr().String())
	}
	client := &http.Client{Transport: &http.Transport{}}
	ask := func(method, url, credential string, body any) (int, map[string]any) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+credential)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		_ = json.Unmarshal(answer, &v) // not every answer is an object
		return resp.StatusCode, v
	}
	_, session := ask("POST", bases[0]+"/api/v1/auths/signup", "", map[string]string{"name": "Ana", "email": "ana@example.com", "password": "s3cret-Pass!"})
	token, _ := session["token"].(string)
	_, made := ask("POST", bases[0]+"/api/v1/auths/api_key", token, nil)
	key, _ := made["api_key"].(string)
	if status, _ := ask("GET", bases[1]+"/api/models", key, nil); status != http.StatusOK {
		t.Fatalf("the other server does not know the key: %d", status)
	}
	if status, _ := ask("DELETE", bases[0]+"/api/v1/auths/api_key", token, nil); status != http.StatusOK {
		t.Fatalf("the key was not deleted: %d", status)
	}
	for end := time.Now().Add(time.Second); ; time.Sleep(5 * time.Millisecond) {
		if status, _ := ask("GET", bases[1]+"/api/models", key, nil); status == http.StatusUnauthorized {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the other server still takes a revoked key")
		}
	}
	client.CloseIdleConnections()
	stop()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
