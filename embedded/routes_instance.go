package embedded

import (
	"net/http"

	"github.com/miroir-search/miroir/api"
)

// instanceRoutes are the routes about the whole node that experimental features open, and exports.
func instanceRoutes() []route {
	return []route{
		{method: "GET", path: "/metrics", action: "metrics.get", handle: getMetrics},
		{method: "POST", path: "/logs/stream", action: "metrics.get", handle: streamLogs},
		{method: "DELETE", path: "/logs/stream", action: "metrics.get", handle: stopLogs},
		{method: "POST", path: "/logs/stderr", action: "metrics.get", handle: setStderrLogs},
		{method: "GET", path: "/tasks/:task/documents", action: "tasks.get", handle: getTaskDocuments},
		{method: "POST", path: "/tasks/compact", action: "tasks.compact", handle: compactTasks},
		{method: "POST", path: "/export", action: "export", handle: export},
	}
}

// getTaskDocuments shows what a task that is not finished was sent.
func getTaskDocuments(r *request) (*reply, *api.Error) {
	if err := r.core.require("getTaskDocumentsRoute", "Getting the documents of an enqueued task"); err != nil {
		return nil, err
	}
	uid, err := api.ParseTaskUID(r.params["task"])
	if err != nil {
		return nil, err
	}
	r.core.mu.RLock()
	rec := r.core.records[uid]
	r.core.mu.RUnlock()
	if rec == nil || !r.access.visible(rec.task) {
		return nil, api.TaskNotFound(uint64(uid))
	}
	if rec.op == nil || rec.op.docs == nil {
		return nil, api.Errorf("task_file_not_found", "Task `%d` does not contain any documents. Only `documentAdditionOrUpdate` tasks with "+
			"the statuses `enqueued` or `processing` contain documents", uid)
	}
	return &reply{status: http.StatusOK, raw: rec.op.docs.encode(), contentType: api.ContentTypeNDJSON}, nil
}

// compactTasks has nothing to do. Unlike the real server, which must be restarted then, the node goes on.
func compactTasks(r *request) (*reply, *api.Error) {
	if err := r.core.require("taskQueueCompactionRoute", "Using the /tasks/compact route"); err != nil {
		return nil, err
	}
	r.core.mu.RLock()
	size := uint64(len(r.core.records)) * pageSize
	r.core.mu.RUnlock()
	return ok(struct {
		PreSize        string `json:"preSize"`
		PostSize       string `json:"postSize"`
		Status         string `json:"status"`
		ActionRequired string `json:"actionRequired"`
	}{humanSize(size), humanSize(size), api.Succeeded, "you must restart your instance"})
}
