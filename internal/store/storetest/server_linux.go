package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running PostgreSQL that keeps its files in a temporary folder.
type server struct {
	dir  string
	port int
	cmd  *exec.Cmd
	gone chan error // the end of the process
}

const superuser = "portico"

func (s *server) url(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", superuser, s.port, database)
}

// startServer makes a cluster and runs a server on it. PostgreSQL refuses to
// run as root, so then it runs as nobody.
func startServer() (*server, error) {
	install, err := findInstall()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	sweep()
	parent := os.TempDir()
	if who != nil && !reachable(parent) {
		parent = "/tmp" // TMPDIR is below a folder that is closed to others
	}
	dir, err := os.MkdirTemp(parent, fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if err := s.start(install, who); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *server) start(install string, who *syscall.Credential) error {
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	if who != nil && !reachable(install) {
		// The binaries are below a folder that is closed to others, such as /root.
		var err error
		if install, err = copyInstall(install, filepath.Join(s.dir, "install")); err != nil {
			return err
		}
	}
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if who != nil {
		if err := os.Chown(data, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	initdb := s.command(who, filepath.Join(install, "bin/initdb"), "-D", data, "-U", superuser, "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	for try := 0; ; try++ { // another process may take the port in between
		err := s.run(who, filepath.Join(install, "bin/postgres"), data)
		if err == nil || try == 2 {
			return err
		}
	}
}

func (s *server) command(who *syscall.Credential, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	// Should this process be killed, the kernel ends the server too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

func (s *server) run(who *syscall.Credential, postgres, data string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	s.cmd = s.command(who, postgres, "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", "",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
		"-c", "shared_buffers=64MB", "-c", "max_connections=300", "-c", "max_wal_size=256MB", "-c", "log_min_messages=warning")
	var log bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &log, &log
	s.gone = make(chan error, 1)
	started := make(chan error)
	go func() {
		// The kernel's guard watches the thread that started the child, so
		// this one must live as long.
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.gone <- s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := execute(s.url("postgres"), "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case end := <-s.gone:
			return fmt.Errorf("postgres ended: %w: %s", end, log.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("postgres does not answer: %w", err), s.end())
		}
	}
}

// stop ends the server and removes its files.
func (s *server) stop() error { return errors.Join(s.end(), os.RemoveAll(s.dir)) }

func (s *server) end() error {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // at once: nothing is to be kept
		return err
	}
	select {
	case <-s.gone:
		return nil
	case <-time.After(10 * time.Second):
		return s.cmd.Process.Kill()
	}
}

// copyInstall copies a folder of a wheel, and the libraries that the wheel
// keeps two levels above it, so that the binaries find them.
func copyInstall(from, to string) (string, error) {
	site, pkg := filepath.Dir(filepath.Dir(from)), filepath.Base(filepath.Dir(from))
	install := filepath.Join(to, pkg, filepath.Base(from))
	if err := os.CopyFS(install, os.DirFS(from)); err != nil {
		return "", err
	}
	libs, err := filepath.Glob(filepath.Join(site, "*.libs"))
	for _, lib := range libs {
		err = errors.Join(err, os.CopyFS(filepath.Join(to, filepath.Base(lib)), os.DirFS(lib)))
	}
	return install, err
}

// unprivileged is the account to run as when this process is root, else nil.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL cannot run as root, and there is no account nobody: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// findInstall gives the folder with bin/postgres: of PORTICO_TEST_PGBIN, else
// the newest below .cache/testenv.
func findInstall() (string, error) {
	if bin := os.Getenv("PORTICO_TEST_PGBIN"); bin != "" {
		if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
			return "", fmt.Errorf("PORTICO_TEST_PGBIN: %w", err)
		}
		return filepath.Dir(filepath.Clean(bin)), nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	var found []string
	for _, pattern := range []string{"pginstall*/bin/postgres", "*/pginstall*/bin/postgres", "*/*/pginstall*/bin/postgres"} {
		matches, err := filepath.Glob(filepath.Join(root, ".cache/testenv", pattern))
		if err != nil {
			return "", err
		}
		found = append(found, matches...)
	}
	if len(found) == 0 {
		return "", errors.New("run `make testenv`, which brings it, or set PORTICO_TEST_PGBIN to the folder of postgres and initdb")
	}
	newest := found[0]
	for _, path := range found {
		if path > newest { // pginstall18 after pginstall
			newest = path
		}
	}
	return filepath.Dir(filepath.Dir(newest)), nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// reachable reports whether any account may walk to path and run what is there.
func reachable(path string) bool {
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o005 != 0o005 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

const dirPrefix = "portico-pg-"

// sweep removes the folders of test processes that were killed.
func sweep() {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			os.RemoveAll(dir) // best effort: somebody else may be doing the same
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
