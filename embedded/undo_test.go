package embedded_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

// everything is what a node shows of its indexes and tasks.
func (c *client) everything() string {
	c.t.Helper()
	var b strings.Builder
	for _, path := range []string{"/indexes", "/indexes/a/documents", "/indexes/a/search?q=one", "/indexes/a/settings", "/indexes/b/documents",
		"/indexes/new/documents", "/tasks?limit=100"} {
		_, body := c.send("GET", path, "")
		b.WriteString(path + " " + timesAndIDs.ReplaceAllString(body, "") + "\n")
	}
	return b.String()
}

// Whatever a task does, when the store refuses it nothing of it is left, before a restart and after.
func TestAStoreThatRefusesATaskTakesItBackWhole(t *testing.T) {
	for _, write := range [][3]string{
		{"POST", "/indexes/a/documents", `[{"id":1,"t":"other"},{"id":9,"t":"one"}]`},
		{"POST", "/indexes/new/documents", `[{"id":1}]`},
		{"POST", "/indexes/a/documents/delete-batch", `[1]`},
		{"POST", "/indexes/a/documents/delete", `{"filter":"t = one"}`},
		{"DELETE", "/indexes/a/documents", ``},
		{"PATCH", "/indexes/a/settings", `{"stopWords":["one"],"filterableAttributes":[]}`},
		{"POST", "/indexes", `{"uid":"new"}`},
		{"PATCH", "/indexes/a", `{"uid":"new"}`},
		{"DELETE", "/indexes/a", ``},
		{"POST", "/swap-indexes", `[{"indexes":["a","b"]}]`},
		{"DELETE", "/tasks?uids=0,1", ``},
	} {
		t.Run(write[0]+write[1], func(t *testing.T) {
			c := start(t, embedded.Options{Dir: t.TempDir()})
			c.task("PATCH", "/indexes/a/settings", `{"filterableAttributes":["t"]}`)
			c.task("POST", "/indexes/a/documents", `[{"id":1,"t":"one"},{"id":2,"t":"two one"}]`)
			c.task("DELETE", "/indexes/a/documents/1", ``)
			c.task("POST", "/indexes/a/documents", `[{"id":3,"t":"one"}]`)
			c.task("POST", "/indexes/b/documents", `[{"id":5,"t":"five"}]`)
			c.node.PauseTasks()
			before := c.everything()
			embedded.FailStore(c.node, 1)
			c.node.ResumeTasks()
			failed := c.task(write[0], write[1], write[2])
			if failed.Status != "failed" || failed.Error == nil || !strings.Contains(failed.Error.Message, "no space left") {
				t.Fatalf("the task ended as %+v", failed)
			}
			after := c.everything()
			c.node.Stop()
			if err := c.node.Restart(); err != nil {
				t.Fatal(err)
			}
			c.idle()
			if again := c.everything(); again != after {
				t.Errorf("a restart changes what is there\nbefore %s\nafter  %s", after, again)
			}
			c.task("DELETE", "/tasks?uids="+itoa(failed.UID), ``)
			if after := dropTasks(c.everything()); after != dropTasks(before) {
				t.Errorf("something is left\nbefore %s\nafter  %s", before, after)
			}
		})
	}
}

// A store that takes nothing at all makes tasks wait, until it does.
func TestTasksWaitForAStoreThatTakesNothing(t *testing.T) {
	c := start(t, embedded.Options{Dir: t.TempDir()})
	c.task("POST", "/indexes/a/documents", `[{"id":1}]`)
	c.node.PauseTasks()
	embedded.FailStore(c.node, 2)
	c.send("POST", "/indexes/a/documents", `[{"id":2}]`)
	c.send("POST", "/tasks/cancel?uids=1", ``)
	c.node.ResumeTasks()
	c.idle()
	c.done(c.readTask(1), "canceled", "")
	c.done(c.readTask(2), "succeeded", "")
	c.want("GET", "/indexes/a/documents?fields=id", "", 200, `{"results":[{"id":1}],"offset":0,"limit":20,"total":1}`)
}

func dropTasks(all string) string {
	kept, _, _ := strings.Cut(all, "/tasks")
	return kept
}

var timesAndIDs = regexp.MustCompile(`"processingTimeMs":\d+|"requestUid":"[^"]*"`)
