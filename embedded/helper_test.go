package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/miroir-search/miroir/embedded"
)

func TestMain(m *testing.M) {
	if dir, child := childDir(); child {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// client talks to a node without sockets.
type client struct {
	t    *testing.T
	node *embedded.Node
	key  string
}

func start(t *testing.T, o embedded.Options) *client {
	t.Helper()
	if o.Window == 0 {
		o.Window = -1
	}
	return &client{t: t, node: embedded.RunT(t, o)}
}

// send returns status and body; a body that begins with neither { nor [ is sent as CSV.
func (c *client) send(method, path, body string, headers ...string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://node"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.node.Transport().RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// want sends a request and compares the answer.
func (c *client) want(method, path, body string, status int, answer string) {
	c.t.Helper()
	code, got := c.send(method, path, body)
	if code != status || answer != "" && got != answer {
		c.t.Errorf("%s %s %s\ngot  %d %s\nwant %d %s", method, path, body, code, got, status, answer)
	}
}

// task sends a write, waits for its end and returns it decoded.
func (c *client) task(method, path, body string, headers ...string) task {
	c.t.Helper()
	code, answer := c.send(method, path, body, headers...)
	if code != 202 && code != 200 {
		c.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	var summary struct{ TaskUID int }
	if err := json.Unmarshal([]byte(answer), &summary); err != nil {
		c.t.Fatal(err)
	}
	c.idle()
	return c.readTask(summary.TaskUID)
}

type task struct {
	UID      int
	BatchUID *int
	IndexUID *string
	Status   string
	Type     string
	Details  json.RawMessage
	Error    *struct{ Code, Message string }
}

func (c *client) readTask(uid int) task {
	c.t.Helper()
	_, body := c.send("GET", "/tasks/"+itoa(uid), "")
	var out task
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		c.t.Fatalf("task %d: %v in %s", uid, err, body)
	}
	return out
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func (c *client) idle() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.node.Idle(ctx); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) done(t task, status, details string) {
	c.t.Helper()
	var compact bytes.Buffer
	_ = json.Compact(&compact, t.Details)
	if t.Status != status || details != "" && compact.String() != details {
		c.t.Errorf("task %d: %s %s %+v\nwant %s %s", t.UID, t.Status, compact.String(), t.Error, status, details)
	}
}

func (c *client) failed(t task, code, message string) {
	c.t.Helper()
	if t.Status != "failed" || t.Error == nil || t.Error.Code != code || t.Error.Message != message {
		c.t.Errorf("task %d: %s %+v\nwant %s: %s", t.UID, t.Status, t.Error, code, message)
	}
}
