package schemas_test

import (
	"bufio"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// The JSON Schema of the import lines accepts every line of the sample book and every example of
// the guide. It refuses the bad lines of the guide, as far as a shape can.
func TestImportLinesFollowTheirSchema(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile("import-line.schema.json")
	require.NoError(t, err)
	check := func(line string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err, line)
		return schema.Validate(value)
	}

	book, err := os.Open("../capstone/books/sample.jsonl")
	require.NoError(t, err)
	defer book.Close()
	n := 0
	for lines := bufio.NewScanner(book); lines.Scan(); n++ {
		require.NoError(t, check(lines.Text()), lines.Text())
	}
	require.Greater(t, n, 3000)

	page, err := os.ReadFile("../capstone/lines/README.md")
	require.NoError(t, err)
	good := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(good), 5)
	for _, block := range good {
		for line := range strings.Lines(block[1]) {
			require.NoError(t, check(line), line)
		}
	}
	bad := regexp.MustCompile(`(?m)^(\{.*\})\nline 1: (?:[^:]*: )?([a-z]+\.[a-z-]+):`)
	refused := 0
	for _, example := range bad.FindAllStringSubmatch(string(page), -1) {
		if slices.Contains(byShape, example[2]) {
			require.Error(t, check(example[1]), example[0])
			refused++
		}
	}
	require.Greater(t, refused, 8)
}

// byShape lists the rules of import lines that a JSON Schema can express.
var byShape = []string{
	"field.unknown", "field.case", "field.missing", "field.type", "decimal.invalid",
	"value.unknown", "value.empty", "time.too-fine", "text.control",
}
