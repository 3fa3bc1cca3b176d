package api

import (
	"context"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/errdefs"
)

// taskRoutes list and stop answers that are being written into saved chats, by
// this process.
func (a *API) taskRoutes() []route.Route {
	rows := []route.Route{
		{
			Method: "GET", Path: "/api/tasks", Op: "tasks", Who: route.Admin, Summary: "List the answers that are being written into saved chats", Answer: taskList{},
			Handler: route.NoBody(func(context.Context, *route.Call) (taskList, error) { return taskList{a.taskIDs("")}, nil }),
		},
		{
			Method: "POST", Path: "/api/tasks/stop/{id}", Op: "stop_task", Who: route.Admin, Summary: "Stop one of them", Answer: stopAnswer{}, Errors: []int{404},
			Doc: "The call upstream ends at once; what was produced is kept and marked.", Handler: a.stopTask,
		},
		{
			Method: "GET", Path: "/api/tasks/chat/{id}", Op: "tasks_of_chat", Who: route.Verified, Summary: "List those of one chat", Answer: chatTasks{}, Errors: []int{404},
			Handler: func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
				if err := a.mayStop(r.Context(), c, r.PathValue("id")); err != nil {
					return err
				}
				return route.WriteJSON(w, http.StatusOK, chatTasks{a.taskIDs(r.PathValue("id"))})
			},
		},
		{
			Method: "POST", Path: "/api/tasks/chat/{id}/stop", Op: "stop_tasks_of_chat", Who: route.Verified, Summary: "Stop those of one chat", Answer: stopAnswer{}, Errors: []int{404},
			Handler: func(w http.ResponseWriter, r *http.Request, c *route.Call) error {
				if err := a.mayStop(r.Context(), c, r.PathValue("id")); err != nil {
					return err
				}
				a.Chat.StopChat(r.PathValue("id"))
				return route.WriteJSON(w, http.StatusOK, stopAnswer{true, "Stopped."})
			},
		},
	}
	for i := range rows {
		rows[i].Tag = "tasks"
	}
	return rows
}

type taskList struct {
	Tasks []string `json:"tasks"`
}

type chatTasks struct {
	IDs []string `json:"task_ids"`
}

type stopAnswer struct {
	Status  bool   `json:"status"`
	Message string `json:"message"`
}

// mayStop lets the owner of a chat and administrators in.
func (a *API) mayStop(ctx context.Context, c *route.Call, id string) error {
	if c.Who.IsAdmin() {
		return nil
	}
	_, err := a.Conversations.Own(ctx, c.Who, id)
	return err
}

func (a *API) taskIDs(chatID string) []string {
	ids := []string{}
	for _, t := range a.Chat.Tasks(chatID) {
		ids = append(ids, t.ID)
	}
	return ids
}

func (a *API) stopTask(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	if !a.Chat.StopTask(r.PathValue("id")) {
		return errdefs.New(errdefs.NotFound, "There is no such task: it may have ended already.")
	}
	return route.WriteJSON(w, http.StatusOK, stopAnswer{true, "Stopped."})
}
