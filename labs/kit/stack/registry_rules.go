package stack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/sr"
)

// incompatibilities is why a schema may not follow the versions of a subject, by the subject's compatibility level. Only
// the version named counts, or when none is, the latest, or all of them when the level is transitive. The error says that
// the schema itself is not valid.
func (r *registry) incompatibilities(subject, version string, schema sr.Schema) ([]string, error) {
	next, err := r.parse(schema)
	if err != nil {
		return nil, err
	}
	level, err := r.level(subject)
	if err != nil {
		return nil, err
	}
	before, err := r.predecessors(subject, version, level)
	if err != nil {
		return nil, err
	}
	messages := []string{}
	for _, p := range before {
		prev, err := r.parse(p.Schema)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", p.Version, err)
		}
		for _, m := range mayFollow(level, next, prev) {
			messages = append(messages, fmt.Sprintf("version %d: %s", p.Version, m))
		}
	}
	return messages, nil
}

// parse takes Avro only, with its references first.
func (r *registry) parse(s sr.Schema) (avro.Schema, error) {
	cache := &avro.SchemaCache{}
	if err := r.parseReferences(s, cache, 0); err != nil {
		return nil, err
	}
	return parseAvro(s, cache)
}

func (r *registry) parseReferences(s sr.Schema, cache *avro.SchemaCache, depth int) error {
	const deepest = 16 // a circle never ends otherwise
	if depth > deepest {
		return fmt.Errorf("references are nested more than %d deep", deepest)
	}
	for _, ref := range s.References {
		var to sr.SubjectSchema
		if err := r.get("/subjects/"+url.PathEscape(ref.Subject)+"/versions/"+strconv.Itoa(ref.Version), &to); err != nil {
			return fmt.Errorf("reference %s: %w", ref.Name, err)
		}
		if err := r.parseReferences(to.Schema, cache, depth+1); err != nil {
			return err
		}
		if _, err := parseAvro(to.Schema, cache); err != nil {
			return fmt.Errorf("reference %s: %w", ref.Name, err)
		}
	}
	return nil
}

func parseAvro(s sr.Schema, cache *avro.SchemaCache) (avro.Schema, error) {
	if s.Type != sr.TypeAvro {
		return nil, fmt.Errorf("the embedded registry takes Avro, not %s", s.Type)
	}
	parsed, err := avro.ParseBytesWithCache([]byte(s.Schema), "", cache)
	if err != nil {
		return nil, fmt.Errorf("not a valid Avro schema: %w", err)
	}
	return parsed, nil
}

// level is the subject's own compatibility level, else the global one.
func (r *registry) level(subject string) (sr.CompatibilityLevel, error) {
	var config struct {
		Level sr.CompatibilityLevel `json:"compatibilityLevel"`
	}
	if err := r.get("/config/"+url.PathEscape(subject), &config); err == nil {
		return config.Level, nil
	}
	err := r.get("/config", &config)
	return config.Level, err
}

// predecessors is empty for a subject that does not exist.
func (r *registry) predecessors(subject, version string, level sr.CompatibilityLevel) ([]sr.SubjectSchema, error) {
	base := "/subjects/" + url.PathEscape(subject) + "/versions"
	var numbers []int
	if err := r.get(base, &numbers); err != nil || len(numbers) == 0 {
		return nil, nil
	}
	var paths []string
	switch {
	case version != "":
		paths = []string{version}
	case transitive(level):
		for _, n := range numbers {
			paths = append(paths, strconv.Itoa(n))
		}
	default:
		paths = []string{strconv.Itoa(numbers[len(numbers)-1])}
	}
	schemas := make([]sr.SubjectSchema, len(paths))
	for i, p := range paths {
		if err := r.get(base+"/"+p, &schemas[i]); err != nil {
			return nil, fmt.Errorf("version %s: %w", p, err)
		}
	}
	return schemas, nil
}

// get asks the registry itself.
func (r *registry) get(uri string, into any) error {
	a := r.serve(question{Method: http.MethodGet, URI: uri})
	if a.Status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", uri, a.Status, a.Body)
	}
	return json.Unmarshal([]byte(a.Body), into)
}

func transitive(level sr.CompatibilityLevel) bool {
	return level == sr.CompatBackwardTransitive || level == sr.CompatForwardTransitive || level == sr.CompatFullTransitive
}

// mayFollow is what speaks against next coming after prev. Backward: who knows next reads what prev wrote; forward: who
// knows prev reads what next writes; full: both. To read is to read what was meant: no level but NONE lets a logical type change.
func mayFollow(level sr.CompatibilityLevel, next, prev avro.Schema) []string {
	var messages []string
	backward, forward := directions(level)
	if backward {
		messages = append(messages, misread(next, prev, "the new schema", "the old one wrote")...)
	}
	if forward {
		messages = append(messages, misread(prev, next, "the old schema", "the new one writes")...)
	}
	return messages
}

// misread is why who knows reader does not read what was written under writer, or not as it was meant.
func misread(reader, writer avro.Schema, who, what string) []string {
	if err := avro.NewSchemaCompatibility().Compatible(reader, writer); err != nil {
		return []string{who + " cannot read what " + what + ": " + err.Error()}
	}
	messages := changedMeanings(reader, writer)
	for i, m := range messages {
		messages[i] = who + " takes for another value what " + what + ": " + m
	}
	return messages
}

func directions(level sr.CompatibilityLevel) (backward, forward bool) {
	switch level {
	case sr.CompatBackward, sr.CompatBackwardTransitive:
		return true, false
	case sr.CompatForward, sr.CompatForwardTransitive:
		return false, true
	case sr.CompatFull, sr.CompatFullTransitive:
		return true, true
	default:
		return false, false
	}
}
