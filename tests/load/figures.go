package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// figure is one measured number and its goal.
type figure struct {
	name    string
	value   float64
	unit    string
	limit   float64
	atLeast bool // value must not be below limit; otherwise not above it
}

func atMost(name string, value float64, unit string, limit float64) figure {
	return figure{name, value, unit, limit, false}
}

func atLeast(name string, value float64, unit string, limit float64) figure {
	return figure{name, value, unit, limit, true}
}

// record adds figures to the file that LOAD_FIGURES names, for the table at the
// end; without it they are only printed where they are measured.
func record(all ...figure) error {
	path := os.Getenv("LOAD_FIGURES")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for _, g := range all {
		fmt.Fprintf(f, "%s\t%g\t%s\t%g\t%t\n", g.name, g.value, g.unit, g.limit, g.atLeast)
	}
	return f.Close()
}

// figures prints what was recorded against its goals. It fails for nothing: a
// busy machine misses goals that a quiet one meets.
func figures(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name the file of the figures")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("| figure | goal | measured | |\n|---|--:|--:|---|")
	for lines := bufio.NewScanner(f); lines.Scan(); {
		part := strings.Split(lines.Text(), "\t")
		if len(part) != 5 {
			return fmt.Errorf("a line of %d parts", len(part))
		}
		value, _ := strconv.ParseFloat(part[1], 64)
		limit, _ := strconv.ParseFloat(part[3], 64)
		sign, good := "≤", value <= limit
		if part[4] == "true" {
			sign, good = "≥", value >= limit
		}
		verdict := "ok"
		if !good {
			verdict = "**miss**"
		}
		fmt.Printf("| %s | %s %s %s | %.4g | %s |\n", part[0], sign, part[3], part[2], value, verdict)
	}
	return nil
}
