package stacktest

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A stack that cannot start fails the T that asked for it, such as a check, and no other one.
func TestStackFailsItsOwnCaller(t *testing.T) {
	t.Setenv("STACK", "nonsense")
	caller, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		choose(caller)
	}()
	<-done
	require.Contains(t, caller.text, `STACK is "nonsense": leave it empty`)
}

// A recorder keeps the failure of a T.
type recorder struct{ text string }

func (r *recorder) Name() string                   { return "recorder" }
func (r *recorder) Errorf(f string, values ...any) { r.text += fmt.Sprintf(f, values...) }
func (r *recorder) FailNow()                       { runtime.Goexit() }
func (r *recorder) Cleanup(func())                 {}
