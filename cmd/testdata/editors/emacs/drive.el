;;; -*- lexical-binding: t -*-
;; What the scenes share: a scene drives jobline.el as a user does, and waits for
;; what the user would see.  A scene that fails ends Emacs with 1.

(setq native-comp-enable-subr-trampolines nil ; or the advice below needs a C compiler
      native-comp-jit-compilation nil         ; or each home compiles Emacs's own packages anew
      native-comp-deferred-compilation nil)   ; the name of that until Emacs 29
(require 'jobline)

(defvar the-messages nil "The messages so far, the last first.")
(advice-add 'message :before
            (lambda (format &rest arguments)
              (when format (push (apply #'format-message format arguments) the-messages))))

;; The scene waits for what it says, but no longer than this many seconds.
(defconst patience 40)

(defun until (what test)
  "Wait until TEST answers non-nil, which is answered, or fail with WHAT."
  (let ((end (+ (float-time) patience)) answer)
    (while (not (setq answer (funcall test)))
      (when (> (float-time) end)
        (error "It never came: %S in %S; said: %S" what (buffer-substring-no-properties (point-min) (point-max)) (seq-take the-messages 9)))
      (sit-for 0.02))
    answer))

(defmacro wait-for (form)
  "Wait until FORM is non-nil, and answer its value."
  `(until ',form (lambda () ,form)))

(defmacro check (form)
  "Fail unless FORM is non-nil."
  `(unless ,form (error "Not so: %S is %S in %S; said: %S" (quote ,form) ,(if (eq (car-safe form) (quote equal)) (nth 1 form)) (buffer-substring-no-properties (point-min) (point-max)) (seq-take the-messages 9))))

(defun says (text) "Whether a message had TEXT." (seq-some (lambda (line) (string-search text line)) the-messages))

(defun shows (text) "Whether this buffer has TEXT." (string-search text (buffer-string)))

(defun open-buffers () "The buffers of tasks." (seq-filter #'buffer-live-p (hash-table-values jobline--buffers)))

(defmacro in-new-buffer (&rest body)
  "Do BODY, and select the buffer of a task that it opens."
  `(let ((before (open-buffers)))
     ,@body
     (pop-to-buffer (wait-for (car (seq-difference (open-buffers) before))))))

(defun run (command) "Run COMMAND, and select its buffer." (in-new-buffer (jobline-run command)))

(defun ends (state) "Wait for the line at the end with STATE." (wait-for (string-match-p (format "^\\[%s after" state) (buffer-string))))

(defun type (&rest keys)
  "Have KEYS typed to the prompts that follow."
  (setq unread-command-events (append unread-command-events (listify-key-sequence (kbd (string-join keys " "))))))

(defun jobline (&rest arguments)
  "What jobline answers to ARGUMENTS."
  (with-temp-buffer
    (apply #'call-process "jobline" nil t nil arguments)
    (buffer-string)))

(defun play ()
  "Play the scene that the environment names, write what went wrong, and end Emacs."
  (setq command-line-args-left nil)
  (condition-case failure
      (progn
        (funcall (intern (concat "scene-" (getenv "SCENE"))))
        (kill-emacs 0))
    ((error quit)
     (write-region (format "%S" failure) nil (getenv "FAILURE"))
     (kill-emacs 1))))
