package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// askPassword reads a password: a line of stdin when that was asked for, else
// from a person at a terminal, twice.
func askPassword(env *Env, fromStdin bool) (string, error) {
	if fromStdin {
		return readLine(env.Stdin)
	}
	if !terminal(env.Stdin) {
		return "", wrong{errors.New("there is no terminal to ask for a password: use --password-stdin")}
	}
	first, err := askHidden(env, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := askHidden(env, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func askHidden(env *Env, question string) (string, error) {
	_, _ = fmt.Fprint(env.Stderr, question)
	if f, ok := env.Stdin.(*os.File); ok {
		defer hideInput(f)()
	}
	line, err := readLine(env.Stdin)
	_, _ = fmt.Fprintln(env.Stderr)
	return line, err
}

// confirm asks a person; without one, yes must have been said by a flag.
func confirm(env *Env, yes bool, question string) error {
	if yes {
		return nil
	}
	if !terminal(env.Stdin) {
		return wrong{errors.New("there is no terminal to ask for confirmation: use --yes")}
	}
	_, _ = fmt.Fprint(env.Stderr, question+" [y/N] ")
	line, err := readLine(env.Stdin)
	if err != nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(line), "y") {
		return errors.New("nothing was changed")
	}
	return nil
}

func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		return "", fmt.Errorf("nothing could be read: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
