package embedded

import (
	"maps"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

// chatRoutes are the settings of chat workspaces. The chats themselves need a language model, which is out of reach.
func chatRoutes() []route {
	return []route{
		{method: "GET", path: "/chats", action: "chats.get", handle: listChats},
		{method: "GET", path: "/chats/:ws", action: "chats.get", handle: getChat},
		{method: "DELETE", path: "/chats/:ws", action: "chats.delete", handle: deleteChat},
		{method: "GET", path: "/chats/:ws/settings", action: "chatsSettings.get", handle: getChatSettings},
		{method: "PATCH", path: "/chats/:ws/settings", action: "chatsSettings.update", handle: patchChatSettings},
		{method: "DELETE", path: "/chats/:ws/settings", action: "chatsSettings.update", handle: resetChatSettings},
		{method: "POST", path: "/chats/:ws/chat/completions", action: "chatCompletions", handle: chatCompletion},
	}
}

func (c *core) chat(uid string) *api.ChatWorkspace {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.chats[uid]
}

// putChat keeps the settings of a workspace, or forgets them when s is nil.
func (c *core) putChat(uid string, s *api.ChatWorkspace) *api.Error {
	return remember(c, metaChats, &c.chats, func(old map[string]*api.ChatWorkspace) map[string]*api.ChatWorkspace {
		next := make(map[string]*api.ChatWorkspace, len(old)+1)
		maps.Copy(next, old)
		next[uid] = s
		if s == nil {
			delete(next, uid)
		}
		return next
	})
}

type chatView struct {
	UID string `json:"uid"`
}

func listChats(r *request) (*reply, *api.Error) {
	if err := r.core.require("chatCompletions", "listing the chats"); err != nil {
		return nil, err
	}
	offset, limit, err := api.ParsePage(r.URL.RawQuery, "invalid_index_offset", "invalid_index_limit")
	if err != nil {
		return nil, err
	}
	c := r.core
	c.mu.RLock()
	uids := slices.Sorted(maps.Keys(c.chats))
	c.mu.RUnlock()
	views := make([]chatView, len(uids))
	for i, uid := range uids {
		views[i].UID = uid
	}
	return ok(cut(views, offset, limit))
}

func getChat(r *request) (*reply, *api.Error) {
	uid := r.params["ws"]
	if err := r.core.require("chatCompletions", "displaying a chat"); err != nil {
		return nil, err
	}
	if err := api.CheckIndexUID(uid); err != nil {
		return nil, err
	}
	if r.core.chat(uid) == nil {
		return nil, api.ChatNotFound(uid)
	}
	return ok(chatView{uid})
}

func deleteChat(r *request) (*reply, *api.Error) {
	uid := r.params["ws"]
	if err := r.core.require("chatCompletions", "deleting a chat"); err != nil {
		return nil, err
	}
	if r.core.chat(uid) == nil {
		return nil, api.ChatNotFound(uid)
	}
	if err := r.core.putChat(uid, nil); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}

func (r *request) chatOfPath() (string, *api.ChatWorkspace, *api.Error) {
	uid := r.params["ws"]
	if err := r.core.require("chatCompletions", "using the /chats/settings route"); err != nil {
		return uid, nil, err
	}
	s := r.core.chat(uid)
	if s == nil {
		return uid, nil, api.ChatUnknown(uid)
	}
	return uid, s, nil
}

func getChatSettings(r *request) (*reply, *api.Error) {
	_, s, err := r.chatOfPath()
	if err != nil {
		return nil, err
	}
	return ok(s.Masked())
}

func resetChatSettings(r *request) (*reply, *api.Error) {
	uid, _, err := r.chatOfPath()
	if err != nil {
		return nil, err
	}
	s := api.DefaultChatWorkspace()
	if err := r.core.putChat(uid, s); err != nil {
		return nil, err
	}
	return ok(s)
}

func patchChatSettings(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	n, err := api.DecodeChatWorkspace(v)
	if err != nil {
		return nil, err
	}
	if err := r.core.require("chatCompletions", "using the /chats/settings route"); err != nil {
		return nil, err
	}
	uid := r.params["ws"]
	old := r.core.chat(uid)
	if old == nil {
		old = api.DefaultChatWorkspace()
	}
	s, err := n.Apply(old)
	if err != nil {
		return nil, err
	}
	if err := r.core.putChat(uid, s); err != nil {
		return nil, err
	}
	return ok(s.Masked())
}

// chatCompletion says that there is no model: in a stream as the event that tells of a model out of reach, which is
// what clients of streams understand.
func chatCompletion(r *request) (*reply, *api.Error) {
	const refusal = "an embedded node has no language model to chat with"
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	if err := r.core.require("chatCompletions", "using the /chats chat completions route"); err != nil {
		return nil, err
	}
	if stream, _ := v.Get("stream"); !stream.Bool {
		return nil, api.NewError("unimplemented_non_streaming_chat_completions", "Non-streamed chat completions is not implemented")
	}
	if r.core.chat(r.params["ws"]) == nil {
		return nil, api.ChatUnknown(r.params["ws"])
	}
	type inner struct {
		Type    string  `json:"type"`
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Param   *string `json:"param"`
		EventID *string `json:"event_id"`
	}
	event, marshalErr := api.Marshal(struct {
		EventID string `json:"event_id"`
		Type    string `json:"type"`
		Error   inner  `json:"error"`
	}{uuid.NewString(), "error", inner{Type: "internal_reqwest_error", Code: api.CodeNotSupported, Message: refusal}})
	if marshalErr != nil {
		return nil, api.Internal(marshalErr.Error())
	}
	return &reply{status: http.StatusOK, contentType: "text/event-stream", raw: append(append([]byte("data: "), event...), "\n\n"...)}, nil
}
