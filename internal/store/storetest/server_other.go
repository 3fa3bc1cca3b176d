//go:build !linux

package storetest

import "errors"

type server struct{}

func startServer() (*server, error) {
	return nil, errors.New("the PostgreSQL that the tests bring is for Linux")
}

func (*server) url(string) string { return "" }
func (*server) stop() error       { return nil }
