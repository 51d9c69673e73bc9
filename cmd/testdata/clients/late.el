;;; -*- lexical-binding: t -*-
;; Makes an older jsonrpc.el behave as the newer ones do where the last reply
;; and the end of the server come together: since 1.0.20 a timer handles each
;; message, and the end is noticed before the timer runs.
(require 'jsonrpc)

(advice-add 'jsonrpc-connection-receive :around
            (lambda (receive &rest args) (apply #'run-at-time 0 nil receive args)))

(advice-add 'jsonrpc-connection-send :after
            (cl-function (lambda (_connection &key method &allow-other-keys)
                           (when (eq method :shutdown) ; Emacs looks again when the server has ended
                             (call-process "sleep" nil nil nil "1")))))
