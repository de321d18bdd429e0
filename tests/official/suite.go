// Package official runs the tests that the official Go client ships in its own
// module, unmodified, against any server.
package official

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// MasterKey is the key that the suite expects of its server.
const MasterKey = "masterKey"

const suitePackage = "github.com/meilisearch/meilisearch-go/integration"

//go:embed testdata
var module embed.FS

// suite is the compiled suite and the directory it has to run in.
type suite struct{ bin, dir string }

// compiled builds the suite once, in a module of its own: what it needs is none
// of Miroir's business.
var compiled = sync.OnceValues(func() (*suite, error) {
	dir, err := os.MkdirTemp("", "official-")
	if err != nil {
		return nil, err
	}
	defer func() { built = dir }()
	for name, from := range map[string]string{"go.mod": "suite.mod", "go.sum": "suite.sum"} {
		data, err := module.ReadFile("testdata/" + from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := run(dir, "go", "mod", "download"); err != nil {
		return nil, fmt.Errorf("%w: %w", errOffline, err)
	}
	s := &suite{bin: filepath.Join(dir, "suite.test")}
	if _, err := run(dir, "go", "test", "-c", "-mod=mod", "-o", s.bin, suitePackage); err != nil {
		return nil, err
	}
	out, err := run(dir, "go", "list", "-mod=mod", "-f", "{{.Dir}}", suitePackage)
	s.dir = strings.TrimSpace(string(out))
	return s, err
})

var errOffline = errors.New("the suite cannot be fetched from the module proxy")

// built is the directory of the compiled suite once there is one.
var built string

// Cleanup removes the compiled suite; call it at the end of TestMain.
func Cleanup() {
	if built != "" {
		_ = os.RemoveAll(built) // a leftover in the temporary directory harms nobody
	}
}

func run(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.Bytes())
	}
	return out, nil
}

// Report is how the tests of the suite ended, by name. A test that never ran,
// because the suite gave up before, has failed.
type Report struct {
	Passed, Failed, Skipped []string
	// Output is what the suite printed.
	Output string
}

// Total counts all tests.
func (r *Report) Total() int { return len(r.Passed) + len(r.Failed) + len(r.Skipped) }

var verdict = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\S+)`)

// Run lets the whole suite run against the server at url, whose master key must
// be MasterKey. The suite deletes what the server holds.
func Run(t testing.TB, url string) *Report {
	t.Helper()
	s, err := compiled()
	if errors.Is(err, errOffline) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	listed, err := run(s.dir, s.bin, "-test.list", "^Test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, "-test.v", "-test.count=1") //nolint:gosec // built above
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "MEILISEARCH_URL="+url)
	out, _ := cmd.CombinedOutput() // tests that fail are in the output
	r := &Report{Output: string(out)}
	ended := make(map[string]string)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if m := verdict.FindStringSubmatch(lines.Text()); m != nil {
			ended[m[2]] = m[1]
		}
	}
	for _, name := range strings.Fields(string(listed)) {
		switch ended[name] {
		case "PASS":
			r.Passed = append(r.Passed, name)
		case "SKIP":
			r.Skipped = append(r.Skipped, name)
		default:
			r.Failed = append(r.Failed, name)
		}
	}
	return r
}

// Exception is a test that a server cannot pass, and why. Why begins with
// "sometimes" where it may pass as well.
type Exception struct{ Test, Why string }

func (e Exception) sometimes() bool { return strings.HasPrefix(e.Why, "sometimes") }

// Check fails the test for every failure that is no exception, and for every
// exception that passes: the list must not be longer than the truth.
func (r *Report) Check(t testing.TB, exceptions []Exception) {
	t.Helper()
	t.Logf("%d of %d tests passed, %d failed, %d skipped", len(r.Passed), r.Total(), len(r.Failed), len(r.Skipped))
	known := func(name string) bool {
		return slices.ContainsFunc(exceptions, func(e Exception) bool { return e.Test == name })
	}
	for _, name := range r.Failed {
		if !known(name) {
			t.Errorf("%s failed:\n%s", name, r.outputOf(name))
		}
	}
	for _, e := range exceptions {
		if slices.Contains(r.Passed, e.Test) && !e.sometimes() {
			t.Errorf("%s passed, so it is no exception any more (%s)", e.Test, e.Why)
		}
	}
}

// outputOf is the part of the output that belongs to a test.
func (r *Report) outputOf(name string) string {
	_, after, found := strings.Cut(r.Output, "=== RUN   "+name+"\n")
	if !found {
		return "(it did not run)\n" + r.Output[max(0, len(r.Output)-2000):]
	}
	if end := strings.Index(after, "\n=== RUN   Test"); end >= 0 {
		// subtests print the same mark with the name of their test before a slash
		for end >= 0 && strings.HasPrefix(after[end+len("\n=== RUN   "):], name+"/") {
			next := strings.Index(after[end+1:], "\n=== RUN   Test")
			if next < 0 {
				end = -1
				break
			}
			end += 1 + next
		}
		if end >= 0 {
			after = after[:end]
		}
	}
	return after[:min(len(after), 6000)]
}
