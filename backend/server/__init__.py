"""Take requests and send answers: the loop of one of gunicorn's workers, and its threads.

bytes ──reading──▶ requests ──connection──▶ service ──▶ the application, by the loop or a thread ──message──▶ bytes
"""
