package kit_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A script that is called wrongly does nothing but show its use, from any folder.
func TestScriptsShowTheirUse(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"../..", "../../.ci", "../../labs"} {
		for _, command := range []string{"engine", "fuzz", "real nonsense", "run nonsense"} {
			name, argument, _ := strings.Cut(command, " ")
			path, err := filepath.Rel(dir, "../../.ci/"+name)
			require.NoError(t, err)
			script := exec.CommandContext(t.Context(), "bash", path)
			if script.Dir = dir; argument != "" {
				script.Args = append(script.Args, argument)
			}
			output, err := script.CombinedOutput()
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), "%s: %v", command, err)
			require.Equal(t, 2, exit.ExitCode(), "%s: %s", command, output)
			require.Contains(t, string(output), "\n  .ci/"+name+" ", command)
		}
	}
}
