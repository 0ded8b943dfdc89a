package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var ours = settings{Name: "ours", Stack: "embedded", Store: "kafka", Partitions: 3}

func TestTheSettingsOfALogAreNotWrittenOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, create(dir, ours))
	require.NoError(t, create(dir, ours), "two that begin the same log go on with it")
	theirs := ours
	theirs.Simulated = true
	require.ErrorContains(t, create(dir, theirs), "another log was begun in "+dir)
	there, err := load(dir)
	require.NoError(t, err)
	require.Equal(t, ours, there)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left of who lost")
}

// Only where there is none is a log begun. One that is in another stack, or cannot be told, stays as it is.
func TestALogThatCannotBeOpenedIsNoPlaceForANewOne(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*app, string){
		"in another stack": func(a *app, _ string) { a.cli.Stack = "external" },
		"half a file":      func(_ *app, path string) { require.NoError(t, os.WriteFile(path, []byte(`{"name":`), 0o600)) },
		"no file": func(_ *app, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		},
	} {
		for begin, f := range map[string]func(*app) error{
			"import": func(a *app) error { return a.openOrCreate(false) },
			"demo":   func(a *app) error { return a.beginDemo(true) },
		} {
			dir := t.TempDir()
			require.NoError(t, create(dir, ours))
			a := newApp(&cli{Data: dir, Stack: "embedded", Store: "postgres", Partitions: 12, Name: "other"}, t.Output(), t.Output())
			spoil(a, filepath.Join(dir, settingsFile))
			require.Error(t, f(a), "%s, %s", begin, name)
			require.False(t, a.begins, "%s, %s", begin, name)
		}
	}
}

// Whoever goes on by settings that no command wrote looks for the log where it is not.
func TestSettingsThatNoCommandWroteAreRefused(t *testing.T) {
	t.Parallel()
	for says, spoil := range map[string]func(*settings){
		`store "foo": want kafka or postgres`:                  func(s *settings) { s.Store = "foo" },
		`stack "cloud": want embedded, containers or external`: func(s *settings) { s.Stack = "cloud" },
		`partitions 0: want at least 1`:                        func(s *settings) { s.Partitions = 0 },
		`--name "not_a_name" cannot be the name of a log`:      func(s *settings) { s.Name = "not_a_name" },
	} {
		dir, spoilt := t.TempDir(), ours
		spoil(&spoilt)
		text, err := json.Marshal(spoilt)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, settingsFile), text, 0o600))
		_, err = load(dir)
		require.EqualError(t, err, filepath.Join(dir, settingsFile)+": "+says)
	}
}
