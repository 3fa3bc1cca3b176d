// Package chat is one completion from request to stream, as named stages
// of one shape. Later stages (context, tools, filters) join the list; none
// may reach around it.
package chat
