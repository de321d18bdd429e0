package embedded

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/miroir-search/miroir/api"
)

// logStream is the one client that follows the log, if any. What it sees are the requests.
type logStream struct {
	mu     sync.Mutex
	lines  chan string
	asJSON bool
}

// write hands a line to the client; a client that is too slow misses it.
func (l *logStream) write(c *core, method, path string, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		return
	}
	now := api.FormatTime(c.now())
	line := fmt.Sprintf("%s  INFO HTTP request{method=%s route=%s status_code=%d}\n", now, method, path, status)
	if l.asJSON {
		line = fmt.Sprintf("{\"timestamp\":%q,\"level\":\"INFO\",\"fields\":{\"method\":%q,\"route\":%s,\"status_code\":%d}}\n",
			now, method, api.QuoteJSON(path), status)
	}
	select {
	case l.lines <- line:
	default:
	}
}

// open begins to follow the log; nil when somebody does already.
func (l *logStream) open(asJSON bool) chan string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines != nil {
		return nil
	}
	l.lines, l.asJSON = make(chan string, 64), asJSON
	return l.lines
}

// close ends the stream that reads from lines, or whichever there is when lines is nil.
func (l *logStream) close(lines chan string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil || lines != nil && l.lines != lines {
		return
	}
	close(l.lines)
	l.lines = nil
}

func badLogTarget(text string) string {
	if text == "" {
		return "Empty string is not a valid target. If you want to get no logs use `OFF`. Usage: `info`, `meilisearch=info`, or you can " +
			"write multiple filters in one target: `index_scheduler=info,milli=trace`"
	}
	for part := range strings.SplitSeq(text, ",") {
		if _, level, named := strings.Cut(part, "="); named && !validLevel(level) {
			return "error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5"
		}
	}
	return ""
}

func validLevel(s string) bool {
	switch strings.ToLower(s) {
	case "off", "error", "warn", "info", "debug", "trace", "0", "1", "2", "3", "4", "5":
		return true
	default:
		return false
	}
}

func streamLogs(r *request) (*reply, *api.Error) {
	target, mode, memory := "info", "human", false
	err := r.object(
		api.Field{Name: "target", Into: api.Checked(api.Text, badLogTarget)("bad_request", &target)},
		api.Field{Name: "mode", Into: api.OneOf("human", "json", "profile")("bad_request", &mode)},
		api.Field{Name: "profileMemory", Into: api.Bool("bad_request", &memory)})
	if err != nil {
		return nil, err
	}
	if memory && mode != "profile" {
		return nil, api.Invalid("invalid_settings_typo_tolerance", api.At{}, fmt.Sprintf("`profile_memory` can only be used while profiling "+
			"code and is not compatible with the %s mode.", map[string]string{"human": "Human", "json": "Json"}[mode]))
	}
	if err := r.core.require("logsRoute", "Modifying logs through the `/logs/*` routes"); err != nil {
		return nil, err
	}
	if mode == "profile" {
		return nil, api.NewError(api.CodeNotSupported, "an embedded node does not profile itself")
	}
	lines := r.core.logs.open(mode == "json")
	if lines == nil {
		return nil, api.NewError("bad_request", "The `/logs/stream` route is currently in use by someone else.")
	}
	stop := r.core.outside.ctx.Done()
	return &reply{stream: func(w http.ResponseWriter, in *http.Request) {
		defer r.core.logs.close(lines)
		w.WriteHeader(http.StatusOK)
		flush := http.NewResponseController(w)
		_ = flush.Flush() // a writer that cannot flush sends everything at the end
		for {
			select {
			case line, open := <-lines:
				if !open {
					return
				}
				if _, err := w.Write([]byte(line)); err != nil {
					return
				}
				_ = flush.Flush() // as above
			case <-in.Context().Done():
				return
			case <-stop:
				return
			}
		}
	}}, nil
}

func stopLogs(r *request) (*reply, *api.Error) {
	if err := r.core.require("logsRoute", "Modifying logs through the `/logs/*` routes"); err != nil {
		return nil, err
	}
	r.core.logs.close(nil)
	return &reply{status: http.StatusNoContent}, nil
}

// setStderrLogs accepts a level and does nothing with it: whoever embeds a node owns its logger.
func setStderrLogs(r *request) (*reply, *api.Error) {
	target := "info"
	if err := r.object(api.Field{Name: "target", Into: api.Checked(api.Text, badLogTarget)("bad_request", &target)}); err != nil {
		return nil, err
	}
	if err := r.core.require("logsRoute", "Modifying logs through the `/logs/*` routes"); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}
