package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"portico/internal/errdefs"
)

// Hashing says how new passwords are hashed (docs/adr/0003-passwords.md). The
// zero value is argon2id with 19 MiB and 2 passes. Hashes of the other kind,
// and weaker ones, still verify.
type Hashing struct {
	// Algorithm is "argon2id" (also "argon2" and "") or "bcrypt"
	// (PASSWORD_HASH_ALGORITHM).
	Algorithm string
	MemoryKiB uint32 // argon2id; 0 is 19456
	Passes    uint32 // argon2id; 0 is 2
	Cost      int    // bcrypt; 0 is 12
	// Parallel is how many hashes are computed at once; 0 is GOMAXPROCS.
	Parallel int
}

const (
	argon2id = "argon2id"
	bcrypted = "bcrypt"

	shortestPassword = 8
	longestPassword  = 1024
	longestBcrypt    = 72 // bcrypt ignores what comes after

	saltBytes = 16
	hashBytes = 32
	// Hashes that ask for more than this are not verified: nobody made them in
	// good faith.
	maxMemoryKiB = 1 << 20
	maxPasses    = 64
)

// hasher hashes and verifies passwords, a few at a time: each costs tens of
// milliseconds of a core, so that a burst of sign-ins must queue instead of
// starving everybody else.
type hasher struct {
	Hashing
	random io.Reader
	slots  chan struct{}
}

func newHasher(h Hashing, random io.Reader) (*hasher, error) {
	switch h.Algorithm {
	case "", "argon2", argon2id:
		h.Algorithm = argon2id
	case bcrypted:
	default:
		return nil, errdefs.Newf(errdefs.Invalid, "PASSWORD_HASH_ALGORITHM is %.32q and must be argon2id or bcrypt.", h.Algorithm)
	}
	if h.MemoryKiB == 0 {
		h.MemoryKiB = 19 << 10
	}
	if h.Passes == 0 {
		h.Passes = 2
	}
	if h.Cost == 0 {
		h.Cost = 12
	}
	if h.Parallel <= 0 {
		h.Parallel = runtime.GOMAXPROCS(0)
	}
	return &hasher{Hashing: h, random: random, slots: make(chan struct{}, h.Parallel)}, nil
}

// check refuses passwords that are too short, or longer than what is hashed.
func (h *hasher) check(password string) error {
	longest := longestPassword
	if h.Algorithm == bcrypted {
		longest = longestBcrypt
	}
	switch n := len(password); {
	case n < shortestPassword:
		return errdefs.Newf(errdefs.Invalid, "The password is too short: it needs at least %d characters.", shortestPassword)
	case n > longest:
		return errdefs.Newf(errdefs.Invalid, "The password is too long: it may have at most %d bytes.", longest)
	}
	return nil
}

// slot waits for a turn.
func (h *hasher) slot(ctx context.Context) (release func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, internal(ctx.Err())
	}
}

// hash makes the text that is stored. The password was checked before.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	if h.Algorithm == bcrypted {
		b, err := bcrypt.GenerateFromPassword([]byte(password), h.Cost)
		return string(b), err
	}
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", err
	}
	sum := argon2.IDKey([]byte(password), salt, h.Passes, h.MemoryKiB, 1, hashBytes)
	return argonHash{h.MemoryKiB, h.Passes, 1, salt, sum}.String(), nil
}

// verify compares a password with a stored hash. weak tells that the hash
// should be made anew.
func (h *hasher) verify(ctx context.Context, stored, password string) (ok, weak bool, err error) {
	if len(password) > longestPassword {
		password = "" // no such password was ever stored; the work stays the same
	}
	release, err := h.slot(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	if strings.HasPrefix(stored, "$2") {
		err := bcrypt.CompareHashAndPassword([]byte(stored), []byte(password))
		cost, _ := bcrypt.Cost([]byte(stored))
		return err == nil && password != "", h.Algorithm != bcrypted || cost < h.Cost, nil
	}
	a, err := parseArgon(stored)
	if err != nil {
		return false, false, err
	}
	sum := argon2.IDKey([]byte(password), a.salt, a.passes, a.memory, a.threads, uint32(len(a.sum)))
	ok = subtle.ConstantTimeCompare(sum, a.sum) == 1
	return ok && password != "", h.Algorithm == argon2id && a.weakerThan(h.Hashing), nil
}

// dummy is a hash that no password matches, of the same cost as real ones. It
// is made without hashing, so that starting costs nothing.
func (h *hasher) dummy() (string, error) {
	raw := make([]byte, saltBytes+hashBytes)
	if _, err := io.ReadFull(h.random, raw); err != nil {
		return "", err
	}
	if h.Algorithm == argon2id {
		return argonHash{h.MemoryKiB, h.Passes, 1, raw[:saltBytes], raw[saltBytes:]}.String(), nil
	}
	// 53 characters of bcrypt's alphabet: a salt and a sum like any other.
	digits := hex.EncodeToString(raw)[:53]
	return fmt.Sprintf("$2a$%02d$%s", h.Cost, digits), nil
}

// argonHash is an argon2id hash in the usual text form.
type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

func (a argonHash) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.passes, a.threads,
		enc.EncodeToString(a.salt), enc.EncodeToString(a.sum))
}

// weakerThan compares the work that guessing costs.
func (a argonHash) weakerThan(h Hashing) bool {
	return uint64(a.memory)*uint64(a.passes) < uint64(h.MemoryKiB)*uint64(h.Passes) || len(a.sum) < hashBytes
}

var errHash = errors.New("the stored password hash is of no known kind")

func parseArgon(text string) (a argonHash, err error) {
	f := strings.Split(text, "$")
	if len(f) != 6 || f[0] != "" || f[1] != argon2id || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return a, errHash
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &a.memory, &a.passes, &a.threads); err != nil {
		return a, errHash
	}
	var err1, err2 error
	a.salt, err1 = base64.RawStdEncoding.DecodeString(f[4])
	a.sum, err2 = base64.RawStdEncoding.DecodeString(f[5])
	switch {
	case err1 != nil || err2 != nil, len(a.salt) < 8, len(a.sum) < 16 || len(a.sum) > sha256.BlockSize,
		a.memory < 8 || a.memory > maxMemoryKiB, a.passes < 1 || a.passes > maxPasses, a.threads < 1:
		return a, errHash
	}
	return a, nil
}
