package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"portico/tests/stage"
)

// office is a running server with documents in it, and its administrator.
type office struct {
	*stage.Server
	key  string
	http *http.Client
}

// openOffice starts a server on a folder. models is a folder of models, or "".
func openOffice(program, dir, models string, env ...string) (*office, error) {
	if models != "" {
		full, err := filepath.Abs(models)
		if err != nil {
			return nil, err
		}
		if err := os.Symlink(full, filepath.Join(dir, "models")); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	server, err := stage.Start(program, dir, append([]string{"LOG_LEVEL=warning", "BYPASS_MODEL_ACCESS_CONTROL=true"}, env...)...)
	if err != nil {
		return nil, err
	}
	o := &office{Server: server, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	if server.Setup == "" {
		o.key, err = o.known(dir)
	} else if _, o.key, err = server.Admin(); err == nil {
		err = os.WriteFile(filepath.Join(dir, "bench.key"), []byte(o.key), 0o600)
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// known is the key of a folder that was used before.
func (o *office) known(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "bench.key"))
	return string(b), err
}

func (o *office) close() {
	defer o.http.CloseIdleConnections()
	if err := o.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
	}
}

// call makes one request; answer may be nil.
func (o *office) call(method, path, kind string, body io.Reader, answer any) error {
	req, err := http.NewRequest(method, o.URL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.key)
	req.Header.Set("Content-Type", kind)
	resp, err := o.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, b)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(b, answer)
}

func (o *office) post(path string, v, answer any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return o.call(http.MethodPost, path, "application/json", bytes.NewReader(b), answer)
}

// upload sends a file and gives its id.
func (o *office) upload(name string, content []byte) (string, error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		return "", err
	}
	if _, err := part.Write(content); err != nil {
		return "", err
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var f struct{ ID string }
	err = o.call(http.MethodPost, "/api/v1/files/", form.FormDataContentType(), &b, &f)
	return f.ID, err
}

// collection makes one and gives its id.
func (o *office) collection(name string) (string, error) {
	var k struct{ ID string }
	err := o.post("/api/v1/knowledge/create", map[string]string{"name": name, "description": ""}, &k)
	return k.ID, err
}

func (o *office) add(collection, file string) error {
	return o.post("/api/v1/knowledge/"+collection+"/file/add", map[string]string{"file_id": file}, nil)
}

// passages are an answer of the query routes.
type passages struct {
	Documents [][]string
	Warnings  []string
}

func (o *office) query(collection, question string) (*passages, error) {
	p := new(passages)
	return p, o.post("/api/v1/retrieval/query/collection", map[string]any{"collection_names": []string{collection}, "query": question, "k": 3}, p)
}

// patience is how long anything is waited for.
const patience = 30 * time.Minute

// until asks again and again, and gives when the answer was yes.
func until(pause time.Duration, ask func() (bool, error)) (time.Time, error) {
	for began := time.Now(); ; time.Sleep(pause) {
		ok, err := ask()
		switch {
		case err != nil:
			return time.Time{}, err
		case ok:
			return time.Now(), nil
		case time.Since(began) > patience:
			return time.Time{}, errors.New("what was waited for did not come in half an hour")
		}
	}
}

// readable waits until some passage of a file is found.
func (o *office) readable(file, word string) error {
	_, err := until(10*time.Millisecond, func() (bool, error) {
		p, err := o.query("file-"+file, word)
		return err == nil && len(p.Documents) > 0 && len(p.Documents[0]) > 0, err
	})
	return err
}

// completed waits until a file has its vectors.
func (o *office) completed(file string) error {
	_, err := until(25*time.Millisecond, func() (bool, error) {
		var s struct{ Status, Error string }
		err := o.call(http.MethodGet, "/api/v1/files/"+file+"/process/status", "", nil, &s)
		if s.Status == "failed" {
			err = errors.New(s.Error)
		}
		return s.Status == "completed", err
	})
	return err
}

// verb runs a verb of the program as the server's administrator, and gives what
// it prints.
func (o *office) verb(program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(stage.Quiet(), "PORTICO_URL="+o.URL, "PORTICO_KEY="+o.key)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("portico %s: %w: %s", args[0], err, errs.Bytes())
	}
	return out, nil
}

// each runs do for 0…n-1, c at once, and gives the first error.
func each(n, c int, do func(i int) error) error {
	next, faults := make(chan int), make(chan error, c)
	for range c {
		go func() {
			var first error
			for i := range next {
				if err := do(i); first == nil {
					first = err
				}
			}
			faults <- first
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	var err error
	for range c {
		err = cmp.Or(err, <-faults)
	}
	return err
}

// quantile gives the duration that percent of all do not exceed.
func quantile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// medianOf gives the middle one.
func medianOf(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
