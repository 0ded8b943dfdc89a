package runbooks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A container is a service of compose.yaml.
type container struct {
	Profiles []string
	Image    string
	Build    struct{ Target string }
	Network  string `yaml:"network_mode"`
	Command  any    // a text or a list
	Env      any    `yaml:"environment"`
	Volumes  []string
}

// read decodes a file of YAML.
func read(t *testing.T, file string, into any) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), file)
	return string(text)
}

func containers(t *testing.T) map[string]container {
	t.Helper()
	var all struct{ Services map[string]container }
	read(t, "../compose.yaml", &all)
	require.Len(t, all.Services, 8)
	return all.Services
}

// Every image of compose.yaml and of the Dockerfile has a tag, and the image of the build has the
// Go version of go.mod.
func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	tagged := regexp.MustCompile(`^[a-z0-9./-]+:v?[A-Za-z]*\.?[0-9][\w.-]*$`)
	for name, c := range containers(t) {
		image := regexp.MustCompile(`^\$\{\w+:-(.*)\}$`).ReplaceAllString(c.Image, "$1")
		if name != ours {
			require.Regexp(t, tagged, image)
		}
	}
	text, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))[1]
	from := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, from, 3)
	require.Equal(t, "golang:"+version+"-alpine", from[0][1])
	require.Regexp(t, tagged, from[1][1])
	require.Contains(t, string(text), from[1][0]+" AS "+containers(t)[ours].Build.Target+"\n")
	product := strings.Split(string(text), "FROM scratch\n")
	require.Len(t, product, 2, "the image of the product has the program alone")
	require.Contains(t, product[1], "\nUSER 10001:10001\n")
	require.NotContains(t, product[1], "RUN ")
	built := regexp.MustCompile(`\./\S+/blotter\b`).FindString(string(text))
	require.FileExists(t, filepath.Join("..", built, "main.go"))
}

// ours is the service of compose.yaml that runs the program.
const ours = "blotter"

// The containers of the profile monitoring share the network of the machine. They listen on
// loopback, at the places where the others look for them, and find their files.
func TestMonitoringFitsTogether(t *testing.T) {
	t.Parallel()
	all := containers(t)
	for name, c := range all {
		require.Equal(t, c.Profiles != nil, c.Network == "host", name)
		for _, volume := range c.Volumes {
			if file, _, _ := strings.Cut(volume, ":"); strings.HasPrefix(file, "./") {
				require.FileExists(t, filepath.Join("..", file))
			}
		}
	}
	command, err := json.Marshal(all[ours].Command)
	require.NoError(t, err)
	var scrape struct {
		ScrapeConfigs []struct {
			Job    string                       `yaml:"job_name"`
			Auth   map[string]string            `yaml:"basic_auth"`
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	read(t, "monitoring/prometheus.yml", &scrape)
	promtool(t, "check", "config", "monitoring/prometheus.yml")
	job := scrape.ScrapeConfigs[0]
	require.Contains(t, string(command), "--address "+job.Static[0].Targets[0]+" ")
	require.Contains(t, string(command),
		"echo "+job.Auth["password"]+" | blotter principal "+job.Auth["username"]+" ")
	rules := read(t, "monitoring/rules.yml", new(any))
	require.Contains(t, rules, `up{job="`+job.Job+`"}`)

	collector := read(t, "monitoring/collector.yml", new(any))
	require.Contains(t, collector, `endpoint: "127.0.0.1:4318"`)
	require.Contains(t, all[ours].Env, "OTEL_EXPORTER_OTLP_ENDPOINT")
	require.Equal(t, "http://127.0.0.1:4318",
		all[ours].Env.(map[string]any)["OTEL_EXPORTER_OTLP_ENDPOINT"])
	require.Contains(t, all["prometheus"].Command, "--web.listen-address=127.0.0.1:9090")
	var source struct{ Datasources []struct{ UID, URL string } }
	read(t, "monitoring/grafana/datasource.yml", &source)
	require.Equal(t, "http://127.0.0.1:9090", source.Datasources[0].URL)
	board, err := os.ReadFile("monitoring/dashboard.json")
	require.NoError(t, err)
	require.Contains(t, string(board), `"uid": "`+source.Datasources[0].UID+`"`)
}
