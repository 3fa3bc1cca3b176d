package server

import (
	"bytes"
	"fmt"
	"strings"

	"portico/internal/config"
	"portico/internal/setting"
)

// ConfigDocument is docs/config.md: every variable of both tables.
func ConfigDocument() []byte {
	var b bytes.Buffer
	b.WriteString(`# Configuration

This page is generated from the tables of the program (` + "`make generate`" + `).
A flag wins over the environment, which wins over the file named by ` + "`--config`" + `
(lines of ` + "`NAME=value`" + `). ` + "`portico config show`" + ` prints each value with its origin,
` + "`portico config check`" + ` names all faults at once. Variables of the server that this
one is compatible with keep their names; those that mean nothing here yet are
named in one warning and never stop a start.

## The process

| variable | flag | default | what it is |
| --- | --- | --- | --- |
`)
	for _, v := range config.Table() {
		flag := ""
		if v.Flag != "" {
			flag = "`--" + v.Flag + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, flag, code(v.Default), cell(v.Doc))
	}
	b.WriteString(`
## Settings

An administrator may change these while the server runs, over the API. A
variable pins its setting: the API then refuses a different value and names the
variable.

| setting | variable | default | what it is |
| --- | --- | --- | --- |
`)
	for _, d := range setting.All() {
		def := string(d.Default)
		if len(def) > 60 {
			def = "see the API"
		}
		names := make([]string, len(d.Env))
		for i, n := range d.Env {
			names[i] = code(n)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, strings.Join(names, " "), code(def), cell(d.Doc))
	}
	return b.Bytes()
}

func code(s string) string {
	if s == "" || s == `""` {
		return ""
	}
	return "`" + cell(s) + "`"
}

// cell keeps a text within its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
