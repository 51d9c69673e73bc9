package rpc

import (
	"context"

	"github.com/jobline/jobline/schema"
)

// This file has the methods that reach the code of a running task. None of them waits for the task.

func (s *session) input(ctx context.Context, p *schema.InputParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	data := p.DataBase64
	switch {
	case p.Data != "" && data != nil:
		return nil, invalid("/dataBase64", "data and dataBase64 exclude each other")
	case p.Data != "":
		data = []byte(p.Data)
	case len(data) == 0 && !p.Close:
		return nil, invalid("", "there is nothing to send; give data, dataBase64 or close")
	}
	return schema.Empty{}, taskError(s.executor.Input(ctx, p.ID, data, p.Close), p.ID)
}

func (s *session) signal(ctx context.Context, p *schema.SignalParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	return schema.Empty{}, taskError(s.executor.Signal(ctx, p.ID, p.Signal), p.ID)
}

func (s *session) resize(ctx context.Context, p *schema.ResizeParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	return schema.Empty{}, taskError(s.executor.Resize(ctx, p.ID, p.Rows, p.Columns), p.ID)
}
