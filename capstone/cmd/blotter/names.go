package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A logName is what a log is called in its stack. What the log keeps there is named after it, so that two logs can share one
// stack.
type logName string

const defaultName logName = "blotter"

func (n logName) topics() string         { return string(n) } // and of subjects
func (n logName) logSchema() string      { return n.schema() + "_log" }
func (n logName) modelSchema() string    { return n.schema() + "_model" }
func (n logName) snapshotBucket() string { return string(n) + "-replay" }
func (n logName) offloadBucket() string  { return string(n) + "-offloads" }
func (n logName) auditBucket() string    { return string(n) + "-audit" }
func (n logName) origin() string         { return string(n) + ".example" } // of checkpoints

func (n logName) schema() string { return strings.ReplaceAll(string(n), "-", "_") }

// validName is what topics, schemas and buckets all can be called, with room for what comes behind. Without underscores
// no two names share a schema.
var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)

func (n logName) check() error {
	if !validName.MatchString(string(n)) {
		return &usageError{fmt.Sprintf("--name %q cannot be the name of a log", string(n)),
			"2 to 40 lower-case letters, digits and hyphens, beginning with a letter"}
	}
	return nil
}
