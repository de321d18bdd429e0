package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

// The test binary runs itself as a node in a process of its own, so that the node can be killed.
const childEnv = "MIROIR_EMBEDDED_CHILD"

func childDir() (string, bool) {
	dir := os.Getenv(childEnv)
	return dir, dir != ""
}

func runChild(dir string) {
	n, err := embedded.Start(embedded.Options{Dir: dir, Addr: "127.0.0.1:0", MasterKey: "secret"})
	if err != nil {
		_, _ = os.Stdout.WriteString("error " + err.Error() + "\n")
		os.Exit(1)
	}
	if os.Getenv("MIROIR_EMBEDDED_PAUSED") != "" {
		n.PauseTasks()
	}
	_, _ = os.Stdout.WriteString(n.URL() + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// spawn starts a node in another process and returns its address, or its complaint.
func spawn(t *testing.T, dir string, env ...string) (url string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+dir), env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill() // SIGKILL: nothing is flushed
			_ = cmd.Wait()
			_ = in.Close()
		}
	}
	t.Cleanup(kill)
	return strings.TrimSpace(line), kill
}

func post(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer secret")
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAcknowledgedTasksSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	url, kill := spawn(t, dir)
	post(t, "PATCH", url+"/indexes/a/settings", `{"filterableAttributes":["n"]}`)
	for i := range 30 {
		answer := post(t, "POST", url+"/indexes/a/documents", fmt.Sprintf(`[{"id":%d,"n":%d}]`, i, i))
		if !strings.Contains(answer, `"status":"enqueued"`) {
			t.Fatal(answer)
		}
	}
	post(t, "DELETE", url+"/indexes/a/documents/3", "")
	var key struct{ Key string }
	if err := json.Unmarshal([]byte(post(t, "POST", url+"/keys", `{"actions":["*"],"indexes":["*"],"expiresAt":null}`)), &key); err != nil {
		t.Fatal(err)
	}
	kill()

	c := start(t, embedded.Options{Dir: dir, MasterKey: "secret"})
	c.key = key.Key
	c.idle()
	if last := c.readTask(31); last.Status != "succeeded" {
		t.Errorf("last task is %+v", last)
	}
	c.want("GET", "/indexes/a/documents?limit=3&offset=2", "", 200,
		`{"results":[{"id":2,"n":2},{"id":4,"n":4},{"id":5,"n":5}],"offset":2,"limit":3,"total":29}`)
	c.want("GET", "/indexes/a/settings/filterable-attributes", "", 200, `["n"]`)
	if next := c.task("POST", "/indexes/a/documents", `[{"id":100}]`); next.UID != 32 {
		t.Errorf("next task is %d, want 32", next.UID)
	}
	// the place of document 3 is free and taken first, as it was before the kill
	c.want("GET", "/indexes/a/documents?limit=1&offset=3&fields=id", "", 200, `{"results":[{"id":100}],"offset":3,"limit":1,"total":30}`)
}

func TestTasksThatWereWaitingAreDoneAfterAKill(t *testing.T) {
	dir := t.TempDir()
	url, kill := spawn(t, dir, "MIROIR_EMBEDDED_PAUSED=1")
	post(t, "POST", url+"/indexes/a/documents", `[{"id":1,"_miroir_shard":"!"},{"id":2}]`)
	post(t, "PUT", url+"/indexes/a/documents", `[{"id":1,"x":"y"}]`)
	kill()
	c := start(t, embedded.Options{Dir: dir, MasterKey: "secret"})
	c.key = "secret"
	c.idle()
	c.want("GET", "/indexes/a/documents", "", 200,
		`{"results":[{"id":1,"_miroir_shard":"!","x":"y"},{"id":2}],"offset":0,"limit":20,"total":2}`)
}

func TestADirectoryHasOneNode(t *testing.T) {
	dir := t.TempDir()
	start(t, embedded.Options{Dir: dir})
	if _, err := embedded.Start(embedded.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another node uses this directory") {
		t.Errorf("second node in this process: %v", err)
	}
	if answer, _ := spawn(t, dir); !strings.Contains(answer, "another node uses this directory") {
		t.Errorf("second node in another process: %s", answer)
	}
}
