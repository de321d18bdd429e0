package readme

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// step is one command of the README and the answer that it shows.
type step struct {
	line            int
	command, answer string
}

// The section "Try it" works word for word: every command from the first
// answered one on, in its order, gives the answer shown. Times, request ids and
// the ports of this machine are other ones.
func TestTheTranscriptWorks(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl on this machine, and the README uses it")
	}
	steps := transcript(t)
	if len(steps) < 8 {
		t.Fatalf("the README has only %d commands with answers", len(steps))
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "bin", "miroir")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/miroir")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	url := startDev(t, binary, dir)
	for _, s := range steps {
		command := strings.ReplaceAll(s.command, "http://localhost:7700", url)
		command = strings.ReplaceAll(command, "./bin/miroir status", "./bin/miroir status --url "+url)
		command = strings.ReplaceAll(command, "./bin/miroir tasks", "./bin/miroir tasks --url "+url)
		want := normal(s.answer)
		got := run(t, dir, command)
		// A person types more slowly than a test: what changes by itself may be
		// asked again.
		for end := time.Now().Add(15 * time.Second); normal(got) != want && asks(s.command) && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
			got = run(t, dir, command)
		}
		if normal(got) != want {
			t.Fatalf("README.md:%d:\n%s\ngives\n%s\nand not\n%s", s.line, s.command, normal(got), want)
		}
	}
}

// transcript reads the commands of the section "Try it": blocks marked sh that
// a block marked json or text follows.
func transcript(t *testing.T) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	var block []string
	kind, command, at := "", "", 0
	inSection := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "## "):
			inSection, command = line == "## Try it", ""
		case !inSection:
		case kind == "" && strings.HasPrefix(line, "```"):
			kind, block = line[3:], nil
		case kind != "" && line == "```":
			body := strings.Join(block, "\n")
			if kind == "sh" {
				command, at = body, i+1-len(block)
			} else if command != "" {
				steps = append(steps, step{at, command, body})
				command = ""
			}
			kind = ""
		case kind != "":
			block = append(block, line)
		}
	}
	return steps
}

// asks reports whether a command changes nothing.
func asks(command string) bool {
	return strings.HasPrefix(command, "./bin/miroir") || !strings.Contains(command, "-X ") && !strings.Contains(command, "/documents")
}

func run(t *testing.T, dir, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env = dir, environment()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	// A status that is degraded says so in its exit code, too.
	if err := cmd.Run(); err != nil && (!strings.Contains(command, " status") || cmd.ProcessState.ExitCode() != 1 || problems.Len() > 0) {
		t.Fatalf("%s: %v\n%s", command, err, problems.String())
	}
	return out.String()
}

// environment is ours without what would configure Miroir.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MIROIR_") {
			env = append(env, v)
		}
	}
	return env
}

// startDev runs `miroir dev` as `make run` does, on free ports, and returns the
// URL that it prints.
func startDev(t *testing.T, binary, dir string) string {
	t.Helper()
	cmd := exec.Command(binary, "dev", "--ephemeral", "--http-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0")
	cmd.Dir, cmd.Env = dir, environment()
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which Wait tells
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("miroir dev ended with %v\n%s", err, log.String())
		}
	})
	url := make(chan string, 1)
	go func() {
		defer close(url)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "API" {
				url <- fields[1]
			}
		}
		_, _ = io.Copy(io.Discard, out) // so that it can go on printing
	}()
	select {
	case u, ok := <-url:
		if !ok {
			t.Fatal("miroir dev ended before it said where it listens")
		}
		return u
	case <-time.After(30 * time.Second):
		t.Fatal("miroir dev does not say where it listens")
		return ""
	}
}

// What differs from one run to the next.
var changing = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`(?m)^Date: .*$`), "Date: TIME"},
	{regexp.MustCompile(`"duration":"PT[0-9.]+S"`), `"duration":"TIME"`},
	{regexp.MustCompile(`"processingTimeMs":\d+`), `"processingTimeMs":TIME`},
	{regexp.MustCompile(`"requestUid":"[0-9a-f-]{36}"`), `"requestUid":"ID"`},
	{regexp.MustCompile(`(?m)^X-Request-Id: [0-9a-f]{16}$`), "X-Request-Id: ID"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "NODE"},
	{regexp.MustCompile(`(?m)^(took +)\S+$`), "${1}TIME"},
	{regexp.MustCompile(`(?m)^( +\d+  [ab]\d +\w+ +)\S+`), "${1}TIME"},
	{regexp.MustCompile(`(?m)^(Content-Length: )\d+$`), "${1}N"}, // a time without trailing zeros is shorter
	{regexp.MustCompile(`[ \t]+`), " "},
}

// normal is an answer without what differs, and without the width of columns.
func normal(answer string) string {
	answer = strings.ReplaceAll(answer, "\r\n", "\n")
	for _, c := range changing {
		answer = c.pattern.ReplaceAllString(answer, c.instead)
	}
	return strings.TrimSpace(answer)
}

// The test is worth something only if it sees differences.
func TestNormalKeepsWhatMatters(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"hits":[{"id":2}]}`, `{"hits":[{"id":3}]}`},
		{"X-Miroir-Degraded: groups=0; shards=55", "X-Miroir-Degraded: groups=0; shards=56"},
		{"    0  a0    broken   5s      30       1  1.50.0", "    0  a0    ready   5s      30       1  1.50.0"},
		{"    0  a0    ready   5s      30       1  1.50.0", "    0  a0    ready   5s      30       0  1.50.0"},
	} {
		if normal(pair[0]) == normal(pair[1]) {
			t.Errorf("%q and %q are taken for the same", pair[0], pair[1])
		}
	}
}
